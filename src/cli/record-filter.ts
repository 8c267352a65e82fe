import { EVENTS } from '../audit/event.js'
import { quote } from '../core/json-text.js'
import { suggestion } from '../core/nearest.js'
import type { Arguments } from './arguments.js'
import { UsageError } from './cli-io.js'
import { type JsonObject, stringAt } from './record-view.js'
import { parseSince } from './since.js'

const SESSION_ID = /^[0-9A-Z]{6,26}$/

/** Which records to show. Different filters combine; one that is given twice takes either value. */
export class RecordFilter {
  readonly #sessions: readonly string[] | undefined
  readonly #users: readonly string[] | undefined
  readonly #events: readonly string[] | undefined
  readonly #sinceMs: number | undefined

  /** @throws {@link UsageError} for a value that can match nothing. */
  constructor({ values }: Arguments, nowMs: number) {
    this.#sessions = values.get('session')?.map(parseSession)
    this.#users = values.get('user')?.map(parseUser)
    this.#events = values.get('event')?.map(parseEvent)
    const since = values.get('since')?.[0]
    if (since !== undefined) this.#sinceMs = parseSince(since, nowMs)
  }

  /** True when some filter was given. */
  get isSet(): boolean {
    return (this.#sessions ?? this.#users ?? this.#events ?? this.#sinceMs) !== undefined
  }

  matches(record: JsonObject): boolean {
    const session = stringAt(record, 'session_id')
    const user = stringAt(record, 'invoking_user')
    const event = stringAt(record, 'event')
    if (this.#sessions?.some((end) => session?.endsWith(end) === true) === false) return false
    if (this.#users !== undefined && (user === undefined || !this.#users.includes(user))) return false
    if (this.#events !== undefined && (event === undefined || !this.#events.includes(event))) return false
    if (this.#sinceMs === undefined) return true
    // A record whose time cannot be read may be one that is being looked for.
    return !(Date.parse(stringAt(record, 'ts') ?? '') < this.#sinceMs)
  }
}

function parseSession(text: string): string {
  const id = text.toUpperCase()
  if (!SESSION_ID.test(id)) {
    throw new UsageError(
      `--session: ${quote(text)} is no session id, nor the last 6 characters of one or more.`,
    )
  }
  return id
}

function parseUser(text: string): string {
  if (text === '') throw new UsageError('--user: a user id is never empty.')
  return text
}

function parseEvent(text: string): string {
  if ((EVENTS as readonly string[]).includes(text)) return text
  const guess = suggestion(text, EVENTS)
  throw new UsageError(
    `--event: ${quote(text)} is no event.${guess === '' ? ` The events are ${EVENTS.join(', ')}.` : guess}`,
  )
}
