import { isMainThread, parentPort } from 'node:worker_threads'
import { AuditLog } from '../../src/audit/log.js'
import { systemClock } from '../../src/core/clock.js'
import { AuditLocked } from '../../src/core/errors.js'
import { fileSink } from '../../src/sinks/file.js'

/** Opens the log named on the command line, says how that went, and holds it until it is killed. */
const say = (text: string): void => {
  if (isMainThread) process.stdout.write(`${text}\n`)
  else parentPort?.postMessage(text)
}

const path = process.argv[2] ?? ''
try {
  AuditLog.of(fileSink(path), systemClock)
  // After the first turn of the event loop the first record is with the kernel.
  await new Promise(setImmediate)
  say('open')
} catch (error) {
  say(error instanceof AuditLocked ? `${error.code} ${error.holder}` : String(error))
}
// Blocked: a lock that has to be renewed would be lost meanwhile.
if (process.argv[3] === 'block') Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0, 60_000)
setInterval(() => undefined, 60_000)
