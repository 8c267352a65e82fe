import { LIMIT_NAMES, type Limits } from '../contract/budget.js'
import type { Below, Breach, Meter } from '../contract/meter.js'
import { errorText } from '../core/error-text.js'
import { quote } from '../core/json-text.js'
import type { LimitName } from '../core/limits.js'
import { formatUsd } from '../core/money.js'
import type { AgentSetup, SessionSetup } from './setup.js'

/**
 * The JSON texts of the records of a session. What is constant or known to need no escape is written
 * directly; everything else goes through `encodeJson`.
 */

const SNAKE: { readonly [L in LimitName]: string } = {
  usd: 'usd',
  tokens: 'tokens',
  wallMs: 'wall_ms',
  toolCalls: 'tool_calls',
  llmCalls: 'llm_calls',
  depth: 'depth',
  denials: 'denials',
}

/** The parts of {@link envelope} that all sessions of an agent share, those of the newest agent kept. */
let shared = { identity: '', user: '', principal: '' }

/** The members that identify a session, each with its comma. */
export function envelope(id: string, identity: string, user: string): string {
  if (shared.identity !== identity) {
    shared = {
      identity,
      user: ['","agent_identity":"', identity, '","invoking_user":'].join(''),
      principal: [',"principal":"', identity, '@'].join(''),
    }
  }
  return `"session_id":"${id}${shared.user}${quote(user)}${shared.principal}${id}",`
}

/** As {@link envelope}, in one piece: what takes longer to make, and less to hash. */
export function flatEnvelope(id: string, identity: string, user: string): string {
  const own = envelope(id, identity, user)
  const middle = own.length >> 1
  return [own.slice(0, middle), own.slice(middle)].join('')
}

/** Consumption at emission. */
export function budget(meter: Meter, wallMs: number): string {
  return `,"budget":${consumption(meter, wallMs)}`
}

/**
 * What is mostly nothing is written as one constant: every piece of a text is collected anew for the hash of the
 * record, so a text of few pieces costs less.
 */
function consumption({ usd, tokens, toolCalls, llmCalls, depth, denials }: Meter, wallMs: number): string {
  const spent =
    usd === 0 && tokens === 0 ? '{"usd":0,"tokens":0' : `{"usd":${formatUsd(usd)},"tokens":${tokens}`
  const rest =
    llmCalls === 0 && depth === 0 && denials === 0
      ? ',"llm_calls":0,"depth":0,"denials":0}'
      : `,"llm_calls":${llmCalls},"depth":${depth},"denials":${denials}}`
  return `${spent},"wall_ms":${wallMs},"tool_calls":${toolCalls}${rest}`
}

interface Parent {
  readonly id: string
  readonly agent: AgentSetup
  readonly parent: Parent | undefined
}

/** @param parent the session it is nested in. */
export function sessionStart(
  { task, limits, registry, isDelegated }: SessionSetup,
  parent: Parent | undefined,
): string {
  let depth = 0
  for (let node = parent; node !== undefined; node = node.parent) depth += 1
  const taskText = task === undefined ? '' : `"task":${quote(task)},`
  const byText = isDelegated && parent !== undefined ? `"delegated_by":"${parent.agent.identity}",` : ''
  const parentText = parent === undefined ? '' : `"parent_session":"${parent.id}",${byText}`
  return `{${taskText}"limits":${limitsText(limits)},"tools":${registry.summary},${parentText}"depth":${depth}}`
}

const limitTexts = new WeakMap<Limits, string>()

function limitsText(limits: Limits): string {
  let text = limitTexts.get(limits)
  if (text === undefined) {
    const set = LIMIT_NAMES.filter((name) => limits[name] !== Number.POSITIVE_INFINITY)
    text = `{${set.map((name) => `"${SNAKE[name]}":${limitText(name, limits[name])}`).join(',')}}`
    limitTexts.set(limits, text)
  }
  return text
}

function limitText(name: LimitName, amount: number): string {
  return name === 'usd' ? formatUsd(amount) : String(amount)
}

export type Outcome = 'completed' | 'failed' | 'killed' | 'cancelled'

/** What is said of a session at its end. */
export interface SessionEnd {
  readonly outcome: Outcome
  /** What ended it, unless it completed. */
  readonly reason: unknown
  readonly meter: Meter
  readonly wallMs: number
  /** Calls that were in flight when it had to stop. */
  readonly inFlight: number
  /** Calls that were refused because it was dead. */
  readonly refused: number
  /** Records of the session, this one included. */
  readonly records: number
}

export function sessionEnd({
  outcome,
  reason,
  meter,
  wallMs,
  inFlight,
  refused,
  records,
}: SessionEnd): string {
  const reasonText = outcome === 'completed' ? '' : `"reason":${errorText(reason)},`
  const refusedText = refused === 0 ? '' : `"refused":${refused},`
  const nestedText = meter.below === undefined ? '' : `"nested":${nested(meter.below)},`
  return `{"outcome":"${outcome}",${reasonText}"usage":${consumption(meter, wallMs)},${nestedText}"in_flight":${inFlight},${refusedText}"records":${records}}`
}

/** What of a session's consumption was that of sessions nested in it. */
function nested({ usd, tokens, toolCalls, llmCalls, denials }: Below): string {
  return `{"usd":${formatUsd(usd)},"tokens":${tokens},"tool_calls":${toolCalls},"llm_calls":${llmCalls},"denials":${denials}}`
}

/** @param source the id of the nested session whose call broke the limit, if it was not the session itself. */
export function budgetExceeded({ limit, used, max, meter }: Breach, source: string | undefined): string {
  const sourceText = source === undefined ? '' : `,"source":"${source}"`
  const { window } = meter
  const windowText = window === undefined ? '' : `,"scope":"${window.scope}","window_ms":${window.windowMs}`
  return `{"limit":"${SNAKE[limit]}","used":${limitText(limit, used)},"max":${limitText(limit, max)}${windowText}${sourceText}}`
}
