import { parseCredentialOptions } from '../contract/credential.js'
import { quote } from '../core/json-text.js'
import type { SessionCore } from './core.js'
import type { Steps } from './decide.js'
import type { LiveCall } from './live-call.js'

/**
 * One credential: signed, on record, and only then handed out, by a session that is open still.
 *
 * @throws TypeError when the agent has no issuer, and TypeError or RangeError for options that are not usable.
 */
export function* credentialSteps(call: LiveCall, options: unknown): Steps<string> {
  const { core } = call
  const { credentials, clock, identity } = core.agent
  if (credentials === undefined) {
    throw new TypeError(
      'credential: the agent has no issuer; pass credentials: credentialIssuer({ … }) of writ/principal to new Agent()',
    )
  }
  const { audience, ttlMs, tools, holderKey } = parseCredentialOptions(
    options,
    credentials.maxTtlMs,
    grantedNames(core),
  )
  const nowMs = clock.nowMs()
  const issuedAtS = Math.floor(nowMs / 1000)
  const expiresAtS = Math.floor((nowMs + Math.min(ttlMs, leftMs(core))) / 1000)
  if (expiresAtS <= issuedAtS) {
    throw new RangeError(
      'credential: the session ends within this second, and a credential lasts whole seconds',
    )
  }
  const id = randomId()
  const isLive = livenessOf(core, expiresAtS * 1000)
  const token = yield credentials.issue({
    id,
    audience,
    user: core.setup.user,
    identity,
    sessionId: core.id,
    actors: actorsOf(core),
    tools,
    issuedAtS,
    expiresAtS,
    holderKey,
    isLive,
  })
  if (typeof token !== 'string') throw new TypeError('credential: the issuer returned no token')

  // On record before anybody has it: the log may name a credential that was never used, not miss one that was.
  core.assertOpen()
  core.emit('credential_issued', credentialIssued(id, audience, expiresAtS, tools, holderKey !== undefined))
  try {
    const flushed = core.agent.log.flush()
    if (flushed !== undefined) yield flushed
  } catch (failure) {
    if (call.aborted !== undefined) throw call.aborted.reason
    throw core.failAudit(failure)
  }
  core.assertOpen()
  return token
}

function credentialIssued(
  id: string,
  audience: string,
  expiresAtS: number,
  tools: readonly string[],
  isBound: boolean,
): string {
  const names = tools.map((name) => `"${name}"`).join(',')
  return `{"jti":"${id}","audience":${quote(audience)},"exp":${expiresAtS},"tools":[${names}],"bound":${isBound},"enforcement":"enforced"}`
}

/** The tools of this session that every session it works for has as well: a service cannot ask the rest of them. */
function grantedNames(core: SessionCore): readonly string[] {
  let names = core.setup.registry.names
  for (let by = core.grantor; by !== undefined; by = by.grantor) {
    const { registry } = by.setup
    names = names.filter((name) => registry.get(name) !== undefined)
  }
  return names
}

/** Milliseconds to the first deadline, here and above; `Infinity` for none. Never more than there are. */
function leftMs(core: SessionCore): number {
  const nowMs = core.agent.clock.monotonicMs()
  let least = Number.POSITIVE_INFINITY
  for (let node: SessionCore | undefined = core; node !== undefined; node = node.parent) {
    least = Math.min(least, node.clock.openedMs + node.setup.limits.wallMs - nowMs)
  }
  return least
}

/** Who acts for the user: this session, and outwards those that it is nested in. @see RFC 8693, section 4.1 */
function actorsOf(core: SessionCore): readonly string[] {
  const actors: string[] = []
  for (let node: SessionCore | undefined = core; node !== undefined; node = node.parent) {
    actors.push(`${node.agent.identity}@${node.id}`)
  }
  return actors
}

/** Asked as long as the credential lasts, which may be long after the session: it must not keep that alive. */
function livenessOf(core: SessionCore, expiresAtMs: number): () => boolean {
  const session = new WeakRef(core)
  const { clock } = core.agent
  return () => {
    const found = session.deref()
    // An open session is held by its agent: one that was collected has ended.
    return found !== undefined && clock.nowMs() < expiresAtMs && isOpen(found)
  }
}

function isOpen(core: SessionCore): boolean {
  for (let node: SessionCore | undefined = core; node !== undefined; node = node.parent) {
    node.checkTime()
    if (node.lifecycle.isDead) return false
  }
  return core.agent.log.failure === undefined
}

function randomId(): string {
  const bytes = globalThis.crypto.getRandomValues(new Uint8Array(16))
  return Array.from(bytes, (byte) => byte.toString(16).padStart(2, '0')).join('')
}
