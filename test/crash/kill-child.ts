import { writeSync } from 'node:fs'
import { AuditSink } from 'writ'
import { makeAgent } from './crash-agent.js'

/** Calls a tool over and over and says which calls have run, until somebody kills it. */
const [path = '', options = '{}'] = process.argv.slice(2)
const acknowledge = (callId: string): void => {
  writeSync(1, `${callId}\n`)
}
const agent = makeAgent(AuditSink.file(path, JSON.parse(options)), acknowledge)
for (;;) {
  await agent.session('alice', async (s) => {
    for (let batch = 0; batch < 20; batch++) {
      await Promise.all(Array.from({ length: 1 + (batch % 8) }, () => s.callTool('act', {})))
    }
  })
}
