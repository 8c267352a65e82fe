import {
  Agent,
  type AgentOptions,
  type AuditRecord,
  AuditSink,
  type Budget,
  type EventName,
  type ToolSet,
} from 'writ'
import { type FakeClock, fakeClock } from 'writ/testing'

/** An agent on a clock that stands still, and its log. */
export interface Bench<Tools extends ToolSet> {
  readonly agent: Agent<Tools>
  readonly clock: FakeClock
  readonly lines: () => readonly string[]
  readonly records: () => readonly AuditRecord[]
  /** The payloads of the records of one event, oldest first. */
  readonly payloads: (event: EventName) => readonly Readonly<Record<string, unknown>>[]
}

export function bench<const Tools extends ToolSet = Record<never, never>>(
  options: Partial<AgentOptions<Tools>> & { readonly budget: Budget },
): Bench<Tools> {
  const clock = fakeClock()
  const sink = AuditSink.memory()
  const agent = new Agent<Tools>({ identity: 'test-bot/v1', audit: sink, clock, ...options })
  return {
    agent,
    clock,
    lines: () => sink.lines,
    records: () => sink.records,
    payloads: (event) =>
      sink.records.filter((record) => record.event === event).map(({ payload }) => payload),
  }
}

/** What a promise rejects with. Fails when it does not. */
export async function rejection(promise: PromiseLike<unknown>): Promise<unknown> {
  let value: unknown
  try {
    value = await promise
  } catch (error) {
    return error
  }
  throw new TypeError(`expected a rejection, got ${String(value)}`)
}

/** What a function throws. Fails when it does not, or returns a promise instead. */
export function thrown(action: () => unknown): unknown {
  let value: unknown
  try {
    value = action()
  } catch (error) {
    return error
  }
  throw new TypeError(`expected a throw, got ${String(value)}`)
}
