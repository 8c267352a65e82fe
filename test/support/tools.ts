import {
  Agent,
  type AgentOptions,
  type AuditRecord,
  AuditSink,
  type CustomSink,
  type EventName,
  type SealedRecord,
  type Session,
  type SessionOptions,
  type StandardSchema,
  type SyncSession,
  type ToolSet,
} from 'writ'
import { type FakeClock, fakeClock } from 'writ/testing'

export type MemorySink = ReturnType<typeof AuditSink.memory>

export interface Bench<Tools extends ToolSet> {
  readonly agent: Agent<Tools>
  readonly sink: MemorySink
  readonly clock: FakeClock
}

/** An agent with these tools, a log in memory and a clock that stands still. */
export function bench<const Tools extends ToolSet = Record<never, never>>(
  tools: Tools,
  options: Partial<Omit<AgentOptions<Tools>, 'tools' | 'audit' | 'clock'>> = {},
): Bench<Tools> {
  const sink = AuditSink.memory()
  const clock = fakeClock()
  const agent = new Agent<Tools>({
    identity: 'bench-bot/v1',
    budget: { toolCalls: 1000 },
    ...options,
    tools,
    audit: sink,
    clock,
  })
  return { agent, sink, clock }
}

/** The records of one kind, in their order. */
export function recordsOf(sink: MemorySink, event: EventName): readonly AuditRecord[] {
  return sink.records.filter((record) => record.event === event)
}

/** The payloads of the records of one kind, in their order. */
export function payloadsOf(sink: MemorySink, event: EventName): readonly AuditRecord['payload'][] {
  return recordsOf(sink, event).map((record) => record.payload)
}

/** The names of the events of sessions, in their order, without those of the log itself. */
export function eventsOf(sink: MemorySink): readonly EventName[] {
  return sink.records.filter((record) => record.session_id !== undefined).map((record) => record.event)
}

/** The reasons of all denials in the log, in their order. */
export function reasonsOf(sink: MemorySink): readonly unknown[] {
  return payloadsOf(sink, 'tool_denied').map((payload) => payload['reason'])
}

/** A Standard Schema around any function, honest or not. */
export function schemaOf(validate: (value: unknown) => unknown): StandardSchema {
  return { '~standard': { version: 1, vendor: 'test', validate: validate as never } }
}

/** A schema that takes everything and hands it on as it is. */
export const anything: StandardSchema = schemaOf((value) => ({ value }))

/**
 * Runs `body` while every object of the process inherits `members`, and takes them away again, whatever
 * happens. What `body` waits for must be short: the test runner lives in the same process.
 */
export async function withPollution<T>(
  members: Readonly<Record<string, unknown>>,
  body: () => T,
): Promise<Awaited<T>> {
  pollute(members)
  try {
    return await body()
  } finally {
    clean(members)
  }
}

export function pollute(members: Readonly<Record<string, unknown>>): void {
  for (const name of Object.keys(members)) {
    Object.defineProperty(Object.prototype, name, {
      value: members[name],
      configurable: true,
      enumerable: true,
      writable: true,
    })
  }
}

export function clean(members: Readonly<Record<string, unknown>>): void {
  for (const name of Object.keys(members)) Reflect.deleteProperty(Object.prototype, name)
}

/** A durable sink whose flushes settle when the test says so, and which notes what happens in what order. */
export class GatedSink implements CustomSink {
  readonly name = 'gated'
  readonly durable = true
  readonly lines: string[] = []
  readonly steps: string[]
  #waiting: { readonly resolve: () => void; readonly reject: (error: unknown) => void }[] = []
  #failure: unknown
  #open = true

  /** @param steps where `append <event>`, `flush` and `flushed` are noted. */
  constructor(steps: string[] = []) {
    this.steps = steps
  }

  /** Events that were appended so far. */
  get events(): readonly EventName[] {
    return this.lines.map((line) => (JSON.parse(line) as AuditRecord).event)
  }

  /** From now on, flushes wait for {@link release}. */
  hold(): void {
    this.#open = false
  }

  /** Lets every flush so far and from now on resolve. */
  release(): void {
    this.#open = true
    for (const { resolve } of this.#waiting.splice(0)) {
      this.steps.push('flushed')
      resolve()
    }
  }

  /** Lets every flush so far and from now on fail. */
  fail(error: unknown): void {
    this.#failure = error
    for (const { reject } of this.#waiting.splice(0)) reject(error)
  }

  open(): undefined {
    return undefined
  }

  append(record: SealedRecord): void {
    this.lines.push(record.line)
    this.steps.push(`append ${record.parse().event}`)
  }

  flush(): Promise<void> | undefined {
    this.steps.push('flush')
    if (this.#failure !== undefined) return Promise.reject(this.#failure)
    if (this.#open) {
      this.steps.push('flushed')
      return undefined
    }
    return new Promise((resolve, reject) => this.#waiting.push({ resolve, reject }))
  }

  flushSync(): void {
    this.steps.push('flush')
    if (this.#failure !== undefined) throw this.#failure
    this.steps.push('flushed')
  }

  async close(): Promise<void> {
    this.release()
  }
}

/** A promise, and the means to settle it. */
export interface Gate<T> {
  readonly promise: Promise<T>
  readonly open: (value: T) => void
  readonly fail: (error: unknown) => void
}

export function gate<T = void>(): Gate<T> {
  let open: Gate<T>['open'] = () => undefined
  let fail: Gate<T>['fail'] = () => undefined
  const promise = new Promise<T>((resolve, reject) => {
    open = resolve
    fail = reject
  })
  return { promise, open, fail }
}

/** Lets every promise that can settle without time passing do so. */
export function turn(): Promise<void> {
  return new Promise((resolve) => setImmediate(resolve))
}

/** What `await` waits for although it is no promise, typed as one. */
export function thenable<T>(
  then: (resolve: (value: T) => void, reject: (reason: unknown) => void) => void,
): Promise<T> {
  return Object.defineProperty({}, 'then', { value: then }) as Promise<T>
}

/** Throws anything: people do. */
export function raise(thrown: unknown): never {
  throw thrown
}

/**
 * What a session ended with that was killed, whatever its callback did. An expectation that fails inside the
 * callback is thrown here: the session itself would reject with the kill, and lose it.
 */
export async function killOf<Tools extends ToolSet>(
  agent: Agent<Tools>,
  callback: (session: Session<Tools>) => unknown,
  options: SessionOptions<keyof Tools & string> = {},
): Promise<unknown> {
  const faults: unknown[] = []
  const witnessed = async (s: Session<Tools>): Promise<void> => {
    try {
      await callback(s)
    } catch (error) {
      faults.push(error)
      throw error
    }
  }
  const end = await agent.session('alice', witnessed, options).then(
    () => raise(new TypeError('the session was not killed')),
    (error: unknown) => error,
  )
  await turn()
  for (const fault of faults) if (fault !== end) throw fault
  return end
}

/** As {@link killOf}, for a synchronous session. */
export function killOfSync<Tools extends ToolSet>(
  agent: Agent<Tools>,
  callback: (session: SyncSession<Tools>) => unknown,
): unknown {
  const faults: unknown[] = []
  let end: unknown
  try {
    agent.sessionSync('alice', (s) => {
      try {
        callback(s)
      } catch (error) {
        faults.push(error)
        throw error
      }
    })
  } catch (error) {
    end = error
  }
  for (const fault of faults) if (fault !== end) throw fault
  if (end === undefined) throw new TypeError('the session was not killed')
  return end
}
