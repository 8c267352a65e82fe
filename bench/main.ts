import { benchEmit } from './emit.js'
import { benchGuardedCall } from './guarded-call.js'
import { benchSession } from './session.js'

console.log(`Node ${process.version}. Ratios of one run; absolute figures differ from machine to machine.`)
await benchEmit()
await benchGuardedCall()
await benchSession()
