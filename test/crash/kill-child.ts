import { writeSync } from 'node:fs'
import { AuditSink } from 'writ'
import type { Durability } from '../../src/sinks/durability.js'
import { makeAgent } from './crash-agent.js'

/** Calls a tool over and over and says which calls have run, until somebody kills it. */
const [path = '', durability] = process.argv.slice(2)
const acknowledge = (callId: string): void => {
  writeSync(1, `${callId}\n`)
}
const agent = makeAgent(AuditSink.file(path, { durability: durability as Durability }), acknowledge)
for (;;) {
  await agent.session('alice', async (s) => {
    for (let batch = 0; batch < 20; batch++) {
      await Promise.all(Array.from({ length: 1 + (batch % 8) }, () => s.callTool('act', {})))
    }
  })
}
