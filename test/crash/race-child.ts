import { setTimeout as wait } from 'node:timers/promises'
import { AuditSink, WritError } from 'writ'
import { makeAgent } from './crash-agent.js'

/** Opens a log that others want as well, as often as it is told, and says which calls ran and how often it was refused. */
const [path = '', options = '{}', turns = '0'] = process.argv.slice(2)
const ran: string[] = []
let refused = 0

for (let turn = 0; turn < Number(turns); ) {
  try {
    const agent = makeAgent(AuditSink.file(path, JSON.parse(options)), (callId) => ran.push(callId))
    await agent.session('alice', async (s) => {
      for (let call = 0; call < 12; call++) await s.callTool('act', {})
    })
    await agent.close()
    turn += 1
  } catch (error) {
    if (!WritError.isInstance(error) || error.code !== 'ERR_AUDIT_LOCKED') throw error
    refused += 1
  }
  await wait(Math.random() * 4)
}
console.log(JSON.stringify({ ran, refused }))
