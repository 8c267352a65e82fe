import { CompactSign, exportJWK, generateKeyPair, type JWTPayload, SignJWT } from 'jose'
import {
  Agent,
  type AgentOptions,
  AuditSink,
  type Budget,
  defineTool,
  type Session,
  type ToolSet,
} from 'writ'
import {
  CredentialInvalid,
  credentialIssuer,
  generateIssuerKey,
  importIssuerKey,
  type PrincipalIssuer,
  type VerifyCredentialOptions,
  verifyCredential,
} from 'writ/principal'
import { type FakeClock, fakeClock } from 'writ/testing'
import * as z from 'zod'
import { type Bench, bench, rejection } from './agents.js'

export const ISSUER = 'https://agents.example.com'
export const AUDIENCE = 'https://billing.example.com'

const tool = () => defineTool({ inputSchema: z.object({}), execute: () => 'done' })

/** Three tools that do nothing. */
export const TOOLS = { refund: tool(), lookup: tool(), close: tool() }

/** An agent with an issuer, on a clock that stands still, and what a service needs to verify. */
export interface PrincipalBench extends Bench<typeof TOOLS> {
  readonly issuer: PrincipalIssuer
  /** Verifies as the service would, on the agent's clock. */
  readonly verify: (
    token: unknown,
    options?: Partial<VerifyCredentialOptions>,
  ) => ReturnType<typeof verifyCredential>
}

export async function principalBench(
  options: Partial<AgentOptions<typeof TOOLS>> = {},
  budget: Budget = { wallMs: 3_600_000, toolCalls: 100, depth: 5 },
): Promise<PrincipalBench> {
  const issuer = credentialIssuer({ key: await generateIssuerKey(), issuer: ISSUER })
  const made = bench({ budget, tools: TOOLS, credentials: issuer, ...options })
  return { ...made, issuer, verify: verifierOf(issuer, made.clock) }
}

export function verifierOf(issuer: PrincipalIssuer, clock: FakeClock): PrincipalBench['verify'] {
  return (token, options = {}) =>
    verifyCredential(token, { jwks: issuer.jwks(), issuer: ISSUER, audience: AUDIENCE, clock, ...options })
}

/** One credential of a session that stays open until the test closes it. */
export async function issued(
  from: Pick<PrincipalBench, 'agent'>,
): Promise<{ readonly s: Session<typeof TOOLS>; readonly token: string }> {
  const s = from.agent.open('alice')
  return { s, token: await s.credential({ audience: AUDIENCE, ttlMs: 60_000 }) }
}

/** Why a credential is refused. Fails when it is not. */
export async function refusal(promise: Promise<unknown>): Promise<string> {
  const error = await rejection(promise)
  if (!(error instanceof CredentialInvalid)) throw error
  return error.reason
}

/** The parts of a compact token, decoded. */
export function decode(token: string): { header: Record<string, unknown>; payload: Record<string, unknown> } {
  const [header = '', payload = ''] = token.split('.')
  const read = (part: string) => JSON.parse(Buffer.from(part, 'base64url').toString()) as never
  return { header: read(header), payload: read(payload) }
}

/** An issuer whose private key the test has: it signs whatever it is told to. */
export async function forger(): Promise<{
  readonly clock: FakeClock
  readonly payload: Record<string, unknown>
  readonly verify: PrincipalBench['verify']
  readonly sign: (payload: Record<string, unknown>, header?: Record<string, unknown>) => Promise<string>
  readonly signBytes: (payload: string, header?: Record<string, unknown>) => Promise<string>
}> {
  const pair = await generateKeyPair('EdDSA', { extractable: true })
  const key = await importIssuerKey(await exportJWK(pair.privateKey))
  const issuer = credentialIssuer({ key, issuer: ISSUER })
  const clock = fakeClock()
  const agent = new Agent<ToolSet>({
    identity: 'forged-bot/v1',
    budget: { toolCalls: 1 },
    tools: TOOLS,
    audit: AuditSink.memory(),
    clock,
    credentials: issuer,
  })
  const { header, payload } = decode(
    await agent.open('alice').credential({ audience: AUDIENCE, ttlMs: 60_000 }),
  )
  return {
    clock,
    payload,
    verify: verifierOf(issuer, clock),
    sign: (changed, more = {}) =>
      new SignJWT(changed as JWTPayload)
        .setProtectedHeader({ ...header, ...more } as never)
        .sign(pair.privateKey),
    signBytes: (text, more = {}) =>
      new CompactSign(new TextEncoder().encode(text))
        .setProtectedHeader({ ...header, ...more } as never)
        .sign(pair.privateKey),
  }
}
