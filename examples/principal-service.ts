// An agent and a service on the other side of HTTP: the service lets in who has a good credential, and nobody
// else. `npx tsx examples/principal-service.ts`
import './support/temporary-folder.js'
import { createServer, type IncomingMessage, type RequestListener } from 'node:http'
import type { AddressInfo } from 'node:net'
import { Agent, AuditSink, defineTool, type Session } from 'writ'
import {
  CredentialInvalid,
  credentialIssuer,
  generateIssuerKey,
  memoryReplayStore,
  type PublicKeySet,
  verifyCredential,
} from 'writ/principal'
import * as z from 'zod'

/** Serves on loopback and returns the address. */
async function serve(listener: RequestListener): Promise<string> {
  const server = createServer(listener)
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
  servers.push(server)
  return `http://127.0.0.1:${(server.address() as AddressInfo).port}`
}
const servers: ReturnType<typeof createServer>[] = []

// The agent's side: an issuer, which publishes its public key and answers what is still good.
// #region issuer
const issuer = credentialIssuer({ key: await generateIssuerKey(), issuer: 'billing-agents' })

const authority = await serve((request, response) => {
  const { pathname, searchParams } = new URL(request.url ?? '/', 'http://localhost')
  response.setHeader('content-type', 'application/json')
  if (pathname === '/jwks.json') response.end(JSON.stringify(issuer.jwks()))
  else response.end(JSON.stringify({ active: issuer.isActive(searchParams.get('jti') ?? '') }))
})
// #endregion issuer

// The service's side: it knows the issuer's name and address, and its own name.
// #region service
const replay = memoryReplayStore()

async function ask<T>(path: string, signal: AbortSignal): Promise<T> {
  return (await (await fetch(authority + path, { signal })).json()) as T
}

async function admit(request: IncomingMessage, tool: string) {
  return verifyCredential(request.headers.authorization?.replace(/^Bearer /, ''), {
    jwks: (signal) => ask<PublicKeySet>('/jwks.json', signal),
    issuer: 'billing-agents',
    audience: 'billing',
    tool,
    replay, // each credential is good for one request
    // Only true is a yes: a status that cannot be had is a refusal.
    status: async ({ jti }, signal) => (await ask<{ active: boolean }>(`/status?jti=${jti}`, signal)).active,
  })
}
// #endregion service

const billing = await serve(async (request, response) => {
  try {
    const { sub, act } = await admit(request, request.url?.slice(1) ?? '')
    response.end(`done for ${sub} by ${act.sub.split('@')[0]}`)
  } catch (error) {
    response.statusCode = error instanceof CredentialInvalid ? 401 : 500
    response.end(error instanceof CredentialInvalid ? error.reason : 'error')
  }
})

async function call(tool: string, token: string): Promise<string> {
  const response = await fetch(`${billing}/${tool}`, { headers: { authorization: `Bearer ${token}` } })
  return `${response.status} ${await response.text()}`
}

// #region agent
const refund = defineTool({
  description: 'Issue a refund for a customer order.',
  inputSchema: z.object({ orderId: z.int() }),
  execute: async (_, { session }) => {
    const token = await session.credential({ audience: 'billing', ttlMs: 60_000, tools: ['refund'] })
    return call('refund', token)
  },
})

const agent = new Agent({
  identity: 'billing-clerk/v1',
  budget: { wallMs: 30_000, toolCalls: 2 },
  tools: { refund },
  audit: AuditSink.file('./audit.jsonl'),
  credentials: issuer,
})
// #endregion agent

console.log('good:    ', await agent.session('alice', (s) => s.callTool('refund', { orderId: 4521 })))

const credentialOf = (s: Session<{ refund: typeof refund }>, ttlMs: number) =>
  s.credential({ audience: 'billing', ttlMs })

await agent.session('alice', async (s) => {
  const used = await credentialOf(s, 60_000)
  await call('refund', used)
  console.log('replayed:', await call('refund', used))

  const [header, payload = '', signature] = (await credentialOf(s, 60_000)).split('.')
  const claims = JSON.parse(Buffer.from(payload, 'base64url').toString())
  claims.tools.push('transfer')
  const widened = [header, Buffer.from(JSON.stringify(claims)).toString('base64url'), signature].join('.')
  console.log('widened: ', await call('transfer', widened))
  console.log('as it is:', await call('transfer', await credentialOf(s, 60_000)))

  const expired = await credentialOf(s, 1_000)
  await new Promise((resolve) => setTimeout(resolve, 1_100))
  console.log('expired: ', await call('refund', expired))
})

let kept = ''
try {
  await agent.session(
    'bob',
    async (s) => {
      kept = await credentialOf(s, 60_000)
      await s.callTool('refund', { orderId: 1 })
      await s.callTool('refund', { orderId: 2 })
    },
    { budget: { toolCalls: 1 } },
  )
} catch (error) {
  console.log('         ', (error as Error).message)
}
console.log('killed:  ', await call('refund', kept))

await agent.close()
for (const server of servers) server.close().closeAllConnections()
