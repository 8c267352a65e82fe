import { benchEmit } from './emit.js'
import { benchGuardedCall } from './guarded-call.js'
import { benchSession } from './session.js'
import { benchVerify } from './verify.js'

/** `npm run bench -- 20000` is a quick run. */
const VERIFIED_RECORDS = Number(process.argv[2] ?? 1_000_000)

console.log(`Node ${process.version}. Ratios of one run; absolute figures differ from machine to machine.`)
await benchEmit()
await benchGuardedCall()
await benchSession()
await benchVerify(VERIFIED_RECORDS)
