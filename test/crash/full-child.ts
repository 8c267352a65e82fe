import { writeSync } from 'node:fs'
import { AuditSink, WritError } from 'writ'
import { makeAgent } from './crash-agent.js'

/** Calls a tool until its log takes no more, or as often as it is told; says which calls ran, and how it ended. */
const [path = '', options = '{}', most = '5000'] = process.argv.slice(2)
const say = (text: string): void => {
  writeSync(1, `${text}\n`)
}

async function fill(): Promise<void> {
  const agent = makeAgent(AuditSink.file(path, JSON.parse(options)), say)
  try {
    await agent.session('alice', async (s) => {
      for (let call = 0; call < Number(most); call++) await s.callTool('act', {})
    })
  } finally {
    await agent.close().catch((error: unknown) => say(`close ${codeOf(error)}`))
  }
}

const codeOf = (error: unknown): string => (WritError.isInstance(error) ? error.code : String(error))

await fill().then(
  () => say('done'),
  (error: unknown) => say(`${codeOf(error)} ${(error as Error).message}`),
)
