// A session that lives as long as an HTTP response, and ends when the client goes away.
// `npx tsx examples/streaming-http.ts`
import './support/temporary-folder.js'
import { readFileSync } from 'node:fs'
import { createServer, type ServerResponse } from 'node:http'
import type { AddressInfo } from 'node:net'
import { Agent, AuditSink } from 'writ'
import { provider } from './support/stand-in-provider.js'

const agent = new Agent({
  identity: 'storyteller/v1',
  budget: { usd: 1, tokens: 10_000, wallMs: 10_000 },
  audit: AuditSink.file('./audit.jsonl'),
})
const WORDS =
  'Once upon a time there was a workshop by the lake where old chairs learned to stand again'.split(' ')

// #region streaming
async function tell(user: string, response: ServerResponse): Promise<void> {
  const gone = new AbortController()
  response.on('close', () => gone.abort())
  await using s = agent.open(user, { task: 'tell a story', signal: gone.signal })

  const call = s.reserve({ model: 'claude-sonnet-4-5', maxTokens: 500, maxUsd: 0.01 })
  const words = provider.stream(WORDS, { signal: s.signal })
  let next = await words.next()
  for (; next.done !== true; next = await words.next()) response.write(next.value)
  call.settle(next.value) // what it used; a stream that is cut off is charged all that was held
  response.end()
}
// #endregion streaming

const handled: Promise<unknown>[] = []
const server = createServer((request, response) => {
  const user = new URL(request.url ?? '/', 'http://localhost').searchParams.get('user') ?? 'anonymous'
  handled.push(
    tell(user, response).catch((error: Error) =>
      console.log(`server: the stream for ${user} ended with ${error.name}`),
    ),
  )
})
await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
const url = `http://127.0.0.1:${(server.address() as AddressInfo).port}/`

const whole = await fetch(`${url}?user=alice`)
console.log('alice read:', await whole.text())

const leaving = new AbortController()
const cut = await fetch(`${url}?user=bob`, { signal: leaving.signal })
const reader = cut.body?.getReader()
const first = await reader?.read()
console.log('bob read:', new TextDecoder().decode(first?.value), '... and went away')
leaving.abort()

while (handled.length < 2) await new Promise((resolve) => setTimeout(resolve, 10))
await Promise.all(handled)
server.close()
server.closeAllConnections()
await agent.close()

for (const line of readFileSync('./audit.jsonl', 'utf8').trimEnd().split('\n')) {
  const { event, invoking_user: user, payload } = JSON.parse(line)
  if (event === 'llm_call') console.log(`${user}: charged $${payload.cost_usd}, ${payload.metering}`)
  if (event === 'session_end') console.log(`${user}: session ${payload.outcome}`)
}
