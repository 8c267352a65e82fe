import { afterEach } from 'vitest'
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
  watch(agent)
  return {
    agent,
    clock,
    lines: () => sink.lines,
    records: () => sink.records,
    payloads: (event) =>
      sink.records.filter((record) => record.event === event).map(({ payload }) => payload),
  }
}

/**
 * Assertions that failed where nobody would hear of it: a session that was killed rejects with what killed
 * it, whatever its callback threw.
 */
const failures: unknown[] = []

afterEach(() => {
  const [first] = failures.splice(0)
  if (first !== undefined) throw first
})

function note(error: unknown): void {
  if (error instanceof Error && error.name === 'AssertionError') failures.push(error)
}

function watch(agent: object): void {
  for (const kind of ['session', 'sessionSync'] as const) {
    const open = (agent as Record<typeof kind, (...args: unknown[]) => unknown>)[kind].bind(agent)
    const watched = (user: unknown, callback: (session: unknown) => unknown, ...rest: unknown[]): unknown =>
      open(
        user,
        (session: unknown) => {
          try {
            const result = callback(session)
            if (result instanceof Promise) result.catch(note)
            return result
          } catch (error) {
            note(error)
            throw error
          }
        },
        ...rest,
      )
    Object.defineProperty(agent, kind, { value: watched })
  }
}

/** What a promise rejects with. Fails when it does not. */
export async function rejection(promise: PromiseLike<unknown>): Promise<unknown> {
  let value: unknown
  try {
    value = await promise
  } catch (error) {
    note(error)
    return error
  }
  throw failure(`expected a rejection, got ${String(value)}`)
}

/** What a function throws. Fails when it does not, or returns a promise instead. */
export function thrown(action: () => unknown): unknown {
  let value: unknown
  try {
    value = action()
  } catch (error) {
    note(error)
    return error
  }
  throw failure(`expected a throw, got ${String(value)}`)
}

function failure(message: string): TypeError {
  const error = new TypeError(message)
  failures.push(error)
  return error
}
