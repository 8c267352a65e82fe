import { bad, type Details, errorOf, list, maybe, plain, quiet, text, usd, warning } from './payload-text.js'
import { isObject, type JsonObject, objectAt, own, stringAt } from './record-view.js'
import { safeText, safeValue } from './safe-text.js'

/** A record in words. */
export interface Words extends Details {
  readonly name: string
}

type Describe = (payload: JsonObject) => Details

const WORDS: { readonly [event: string]: readonly [name: string, describe: Describe] } = {
  log_open: [
    'log opened',
    (p) => quiet(`by ${text(p, 'writer')} ${text(p, 'version')}${maybe(p, 'pid', ', process ')}`),
  ],
  log_recovered: [
    'log recovered',
    (p) => warning(`${text(p, 'bytes')} bytes from byte ${text(p, 'offset')} on set aside after a crash`),
  ],
  log_pruned: ['log pruned', (p) => warning(`${prunedFiles(p)} removed: ${text(p, 'reason')}`)],
  anchor_failed: [
    'anchor failed',
    (p) => warning(`checkpoint of ${text(p, 'size')} records${maybe(p, 'count', ', failures: ')}`),
  ],
  log_close: ['log closed', (p) => quiet(`after ${text(p, 'records')} records`)],
  session_start: ['session started', (p) => plain(sessionStart(p))],
  llm_call: ['model call', (p) => plain(modelCall(p))],
  charge: ['charge', (p) => plain(list([usd(own(p, 'usd')), `${text(p, 'tokens')} tokens`, metering(p)]))],
  tool_call: ['tool call', (p) => plain(`${call(p)}${text(p, 'tool')}${toolArgs(p)}${committed(p)}`)],
  tool_result: ['tool result', toolResult],
  tool_denied: [
    'tool denied',
    (p) =>
      bad(
        `${call(p)}${text(p, 'tool')}${toolArgs(p)}: ${text(p, 'reason')}${issues(p)}${refusedBy(p)}${committed(p)}`,
      ),
  ],
  approval_requested: ['approval asked', (p) => plain(approvalRequested(p))],
  approval_decided: ['approval', approvalDecided],
  budget_exceeded: ['budget exceeded', budgetExceeded],
  credential_issued: ['credential', (p) => plain(credential(p))],
  session_end: ['session ended', sessionEnd],
  sink_dropped: [
    'records lost',
    (p) => warning(`${text(p, 'sink')} lost ${text(p, 'count')}${maybe(p, 'since', ' since ')}`),
  ],
}

/** A record in words: what happened, and the members that matter. Whatever the log holds, the words are safe to print. */
export function describeRecord(record: JsonObject): Words {
  const event = stringAt(record, 'event')
  const payload = objectAt(record, 'payload')
  const known = event !== undefined && Object.hasOwn(WORDS, event) ? WORDS[event] : undefined
  if (known === undefined) {
    return {
      name: safeValue(own(record, 'event') ?? '?'),
      ...plain(safeValue(own(record, 'payload') ?? null)),
    }
  }
  const [name, describe] = known
  return { name, ...describe(payload) }
}

function approvalRequested(p: JsonObject): string {
  return `${call(p)}${text(p, 'tool')}${toolArgs(p)}: ${text(p, 'handler')}${maybe(p, 'cause', ', because of ')}`
}

function prunedFiles(payload: JsonObject): string {
  const segments = own(payload, 'segments')
  return Array.isArray(segments)
    ? `${segments.length} finished file${segments.length === 1 ? '' : 's'}`
    : 'files'
}

/** Records that leave the consumption as it was. */
const UNCHANGED: ReadonlySet<unknown> = new Set(['session_start', 'tool_result'])

const UNITS: { readonly [member: string]: string } = {
  tokens: 'tok',
  tool_calls: 'calls',
  llm_calls: 'llm',
  depth: 'deep',
  denials: 'denied',
}

/** What the session has consumed so far, without what is zero, after a record that can have changed it. */
export function describeBudget(record: JsonObject): string {
  if (UNCHANGED.has(own(record, 'event'))) return ''
  return Object.entries(objectAt(record, 'budget'))
    .filter(([name, amount]) => amount !== 0 && name !== 'wall_ms')
    .map(([name, amount]) => (name === 'usd' ? usd(amount) : `${safeValue(amount)} ${unit(name)}`))
    .join(' ')
}

function unit(member: string): string {
  return (Object.hasOwn(UNITS, member) ? UNITS[member] : undefined) ?? safeText(member)
}

function sessionStart(p: JsonObject): string {
  const limits = Object.entries(objectAt(p, 'limits')).map(([name, limit]) =>
    name === 'usd' ? usd(limit) : `${safeValue(limit)} ${safeValue(name)}`,
  )
  const tools = own(p, 'tools')
  const names = Array.isArray(tools)
    ? tools.map((tool) => (isObject(tool) ? text(tool, 'name') : safeValue(tool)))
    : []
  return [
    maybe(p, 'task', 'task: '),
    maybe(p, 'parent_session', 'nested in ', shortSession),
    maybe(p, 'delegated_by', 'delegated by '),
    limits.length === 0 ? '' : `limits: ${list(limits)}`,
    `tools: ${names.length === 0 ? 'none' : list(names)}`,
  ]
    .filter((part) => part !== '')
    .join('; ')
}

/** As the column of sessions shows it, and `--session` takes it. */
function shortSession(id: unknown): string {
  return safeValue(typeof id === 'string' ? id.slice(-6) : id)
}

function modelCall(p: JsonObject): string {
  const tokens =
    own(p, 'tokens') === undefined
      ? `${text(p, 'input_tokens')} in, ${text(p, 'output_tokens')} out`
      : `${text(p, 'tokens')} tokens`
  const cost = own(p, 'cost_usd')
  const price = typeof cost === 'number' ? usd(cost) : 'no price'
  const late = own(p, 'late') === true ? ', after the end of its session' : ''
  return (
    list([text(p, 'model'), tokens, price, metering(p)]) + late + maybe(p, 'error', '; failed: ', errorOf)
  )
}

function metering(p: JsonObject): string {
  const how = stringAt(p, 'metering')
  return how === undefined || how === 'reported' ? '' : safeValue(how)
}

function toolResult(p: JsonObject): Details {
  const ok = own(p, 'ok') === true
  const late = own(p, 'late') === true ? ', too late' : ''
  const outcome = ok ? 'ok' : `failed${maybe(p, 'error', ' with ', errorOf)}`
  const details = `${call(p)}${outcome} after ${text(p, 'elapsed_ms')} ms, effect ${text(p, 'effect')}${late}`
  return ok && late === '' ? plain(details) : warning(details)
}

function approvalDecided(p: JsonObject): Details {
  const outcome = text(p, 'outcome')
  const who = `${maybe(p, 'by', ' by ')}${maybe(p, 'reason', ': ')}`
  const excluded = own(p, 'excluded_ms') === 0 ? '' : maybe(p, 'excluded_ms', ', not counted: ')
  const from = maybe(p, 'resumed_from', ', goes on with ')
  const details = `${call(p)}${outcome}${who} after ${text(p, 'waited_ms')} ms${excluded}${from}`
  return outcome === 'approved' ? { details, tone: 'good' } : warning(details)
}

function budgetExceeded(p: JsonObject): Details {
  const amount = (name: string): string => (own(p, 'limit') === 'usd' ? usd(own(p, name)) : text(p, name))
  return bad(
    `${text(p, 'limit')}: ${amount('used')} of ${amount('max')}${scope(p)}${maybe(p, 'source', ', by session ', shortSession)}`,
  )
}

function credential(p: JsonObject): string {
  const tools = own(p, 'tools')
  const names = Array.isArray(tools) ? list(tools.map(safeValue)) : text(p, 'tools')
  const bound = own(p, 'bound') === true ? ', bound to a key' : ''
  return `for ${text(p, 'audience')}${bound}; tools: ${names === '' ? 'none' : names}`
}

function scope(p: JsonObject): string {
  return own(p, 'scope') === undefined ? '' : `, per ${text(p, 'scope')} in ${text(p, 'window_ms')} ms`
}

function sessionEnd(p: JsonObject): Details {
  const outcome = text(p, 'outcome')
  const counts = [
    own(p, 'in_flight') === 0 ? '' : maybe(p, 'in_flight', '; in flight: '),
    maybe(p, 'refused', '; refused: '),
  ]
  const details = `${outcome}${maybe(p, 'reason', ': ', errorOf)}${counts.join('')}; ${text(p, 'records')} records`
  if (outcome === 'completed') return { details, tone: 'good' }
  return outcome === 'killed' ? bad(details) : warning(details)
}

/** `#3 `: the number of the call within its session, which is how its result finds it. */
function call(p: JsonObject): string {
  const id = stringAt(p, 'call_id')
  return id === undefined ? '' : `#${safeValue(id.slice(id.lastIndexOf('.') + 1))} `
}

/** Names alone read as a call; what a `redact` made is shown as it is. */
function toolArgs(p: JsonObject): string {
  const args = own(p, 'args')
  const withheld = own(p, 'args_withheld')
  const more = withheld === undefined ? '' : ` and ${safeValue(withheld)} withheld`
  if (args === undefined) return ''
  const isNames = Array.isArray(args) && args.every((name) => typeof name === 'string')
  return isNames ? `(${args.map(safeValue).join(', ')})${more}` : ` ${safeValue(args)}${more}`
}

/** Names of what the record commits to; the commitments themselves say nothing to a reader. */
function committed(p: JsonObject): string {
  const commitments = own(p, 'commitments')
  if (!isObject(commitments)) return ''
  return own(p, 'commit_scope') === undefined
    ? '; commits to nothing'
    : `; commits to ${list(Object.keys(commitments).map((pointer) => (pointer === '' ? 'the whole input' : safeValue(pointer))))}`
}

function issues(p: JsonObject): string {
  const found = own(p, 'issues')
  if (!Array.isArray(found) || found.length === 0) return ''
  const texts = found.map((issue) => {
    if (!isObject(issue)) return safeValue(issue)
    const path = own(issue, 'path')
    const place = Array.isArray(path) && path.length > 0 ? `${path.map(safeValue).join('.')}: ` : ''
    return `${place}${text(issue, 'code')}`
  })
  return ` (${list(texts)})`
}

/** Whose grant a call did not have and why, or what loop it would have gone on with. */
function refusedBy(p: JsonObject): string {
  const by = own(p, 'refused_by')
  if (!isObject(by)) return own(p, 'loop') === undefined ? '' : ` (${text(p, 'loop')})`
  return ` by ${text(by, 'agent_identity')} (${text(by, 'reason')})`
}
