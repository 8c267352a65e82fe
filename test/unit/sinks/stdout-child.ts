import { once } from 'node:events'
import { setImmediate as nextTurn } from 'node:timers/promises'
import { stdoutSink } from '../../../src/sinks/stdout.js'
import { Host, records } from './records.js'

/** Writes records to a real standard output; what came of it goes to standard error. */
const sink = stdoutSink()
const host = new Host()
sink.open(host)
if (process.argv[2] === 'wait') await once(process.stdin, 'data')
let refused = 0
for (const each of records(2_000)) {
  try {
    sink.append(each)
    await sink.flush()
  } catch {
    refused += 1
    await nextTurn()
  }
}
await sink.close()
process.stderr.write(JSON.stringify({ refused, dropped: host.drops }))
process.stdin.destroy()
