import { createInterface } from 'node:readline'
import { type Agent, WritError } from 'writ'
import { fileSink } from '../../src/sinks/file.js'
import type { LockHost } from '../../src/sinks/lock-host.js'
import { ELSEWHERE, seenFrom } from '../support/lock-places.js'
import { makeAgent } from './crash-agent.js'

/** Does what it is told, one line at a time, and says how each went. The place is named on the command line. */
const [where, times = '{}'] = process.argv.slice(2)
const place: Partial<LockHost> = { ...(where === 'elsewhere' ? ELSEWHERE : {}), ...JSON.parse(times) }
let agent: Agent<never> | undefined

async function obey(command: string, argument = '', atMs = '0'): Promise<string> {
  switch (command) {
    case 'open':
      // Everybody who is told the same moment begins in it.
      while (Date.now() < Number(atMs));
      agent = makeAgent(fileSink(argument, { durability: 'os' }, seenFrom(place)), () => undefined) as never
      return 'open'
    case 'write':
      await agent?.session('alice', () => undefined)
      return 'written'
    case 'block':
      Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0, Number(argument))
      return 'awake'
    default:
      await agent?.close()
      return 'closed'
  }
}

process.stdout.write('ready\n')
for await (const line of createInterface({ input: process.stdin })) {
  try {
    process.stdout.write(`${await obey(...(line.split(' ') as [string]))}\n`)
  } catch (error) {
    process.stdout.write(`${WritError.isInstance(error) ? `${error.code} ${error.message}` : error}\n`)
  }
}
