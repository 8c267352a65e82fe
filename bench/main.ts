import { benchAppend, benchDurableAppend } from './append.js'
import { benchEmit } from './emit.js'
import { benchGuardedCall } from './guarded-call.js'
import { benchMcp } from './mcp.js'
import { benchSession } from './session.js'
import { benchVerify } from './verify.js'

/** `npm run bench -- quick`, or a number of records to verify. */
const [size = '1000000'] = process.argv.slice(2)
const verifiedRecords = size === 'quick' ? 200_000 : Number(size)
if (!Number.isSafeInteger(verifiedRecords) || verifiedRecords < 1) {
  throw new RangeError(`bench: expected "quick" or how many records to verify, got ${JSON.stringify(size)}`)
}

console.log(`Node ${process.version}. Ratios of one run; absolute figures differ from machine to machine.`)
await benchEmit()
await benchAppend()
await benchDurableAppend()
await benchGuardedCall()
await benchSession()
await benchMcp()
await benchVerify(verifiedRecords)
