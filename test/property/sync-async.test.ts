/**
 * Both kinds of session are driven by the same random script, and write the same log: every line, byte for
 * byte, apart from ids and hashes.
 */
import fc from 'fast-check'
import { expect, test } from 'vitest'
import { Agent, AuditSink, type Budget, defineTool, type Session, type SyncSession, type ToolSet } from 'writ'
import { type FakeClock, fakeClock } from 'writ/testing'
import * as z from 'zod'
import { anything, type MemorySink, raise, schemaOf } from '../support/tools.js'

type Step =
  | { readonly do: 'call' | 'dispatch' | 'authorize'; readonly name: string; readonly input: unknown }
  | { readonly do: 'record'; readonly usage: unknown }
  | { readonly do: 'reserve'; readonly amount: object; readonly settle: unknown }
  | { readonly do: 'block'; readonly ms: number }
  | { readonly do: 'nest'; readonly steps: readonly Step[]; readonly budget: Budget | undefined }
  | { readonly do: 'throw' }

interface Script {
  readonly budget: Budget
  readonly steps: readonly Step[]
}

function toolsOn(clock: FakeClock): ToolSet {
  const amount = z.object({ amount: z.number().int() })
  return {
    pay: defineTool({
      inputSchema: amount,
      when: (input) => input.amount >= 0,
      execute: (input) => input.amount,
    }),
    shown: defineTool({
      inputSchema: amount,
      redact: (input) => ({ amount: input.amount }),
      execute: () => 'shown',
    }),
    fail: defineTool({ inputSchema: anything, execute: () => raise(new RangeError('boom')) }),
    torn: defineTool({
      inputSchema: anything,
      when: () => raise(new RangeError('boom')),
      execute: () => 'ran',
    }),
    vague: defineTool({ inputSchema: anything, when: () => 'yes' as never, execute: () => 'ran' }),
    odd: defineTool({ inputSchema: schemaOf(() => 7), execute: () => 'ran' }),
    once: defineTool({ inputSchema: anything, maxCalls: 1, execute: () => 'ran' }),
    lie: defineTool({ inputSchema: anything, outputSchema: z.number(), execute: () => 'seven' as never }),
    read: defineTool({ inputSchema: anything, readOnly: true, execute: () => raise(undefined) }),
    slow: defineTool({ inputSchema: anything, timeoutMs: 5, execute: () => clock.block(7) }),
    late: defineTool({
      inputSchema: anything,
      when: () => clock.block(40) === undefined,
      execute: () => 'ran',
    }),
  } as unknown as ToolSet
}

const NAMES = [...Object.keys(toolsOn(fakeClock())), 'unknown', '__proto__']

/**
 * What the callers of either kind saw, for each session in the order of their opening: the callback of an
 * asynchronous session that was interrupted may learn of it before or after the one around it.
 */
type Seen = unknown[][]

function look(error: unknown): string {
  const { name, code, reason } = (error ?? {}) as { name?: string; code?: string; reason?: string }
  return `threw ${name} ${code} ${reason}`
}

type AnyKind = Session<ToolSet> | SyncSession<ToolSet>

/**
 * Plays a script on a session of either kind; whatever may be a promise is yielded. A session that was
 * interrupted is left at once: an asynchronous one does not wait for its callback then.
 */
function* play(
  s: AnyKind,
  steps: readonly Step[],
  nest: (step: Extract<Step, { do: 'nest' }>) => unknown,
  clock: FakeClock,
  seen: Seen,
): Generator<unknown, string, unknown> {
  const mine: unknown[] = []
  seen.push(mine)
  for (const step of steps) {
    try {
      switch (step.do) {
        case 'call':
          mine.push(yield s.callTool(step.name, step.input))
          break
        case 'dispatch':
          mine.push(yield s.dispatch({ id: 'call_1', name: step.name, input: step.input }))
          break
        case 'authorize':
          mine.push(yield s.authorize(step.name, step.input))
          break
        case 'record':
          s.recordLlm(step.usage as never)
          break
        case 'reserve': {
          const reservation = s.reserve(step.amount as never)
          if (step.settle === undefined) reservation.release()
          else reservation.settle(step.settle as never)
          break
        }
        case 'block':
          clock.block(step.ms)
          break
        case 'nest':
          mine.push(yield nest(step))
          break
        case 'throw':
          throw new RangeError('the callback gave up')
      }
    } catch (error) {
      mine.push(look(error))
      if (step.do === 'throw') throw error
    }
    if (s.signal.aborted) return 'interrupted'
    mine.push(s.state, s.usage(), s.remaining())
  }
  return 'played'
}

async function driveAsync<T>(steps: Generator<unknown, T, unknown>): Promise<T> {
  let step = steps.next()
  while (step.done !== true) {
    let value: unknown
    let failure: { readonly error: unknown } | undefined
    try {
      value = await step.value
    } catch (error) {
      failure = { error }
    }
    step = failure === undefined ? steps.next(value) : steps.throw(failure.error)
  }
  return step.value
}

/** The synchronous kind throws where the other one rejects: before the generator has yielded. */
function driveSync<T>(steps: Generator<unknown, T, unknown>): T {
  let step = steps.next()
  while (step.done !== true) {
    if (step.value instanceof Promise) throw new TypeError('a synchronous session gave a promise')
    step = steps.next(step.value)
  }
  return step.value
}

/**
 * The log with ids replaced by the order of their first appearance, and without what hangs on the order of
 * the lines. The ends of nested sessions that one kill has ended come last, sorted: an asynchronous session
 * may be a turn later with its own than the one around it.
 */
function normalised(sink: MemorySink): string[] {
  const ids = new Map<string, string>()
  const lines = sink.lines.map((line) =>
    line
      .replace(/^\{"v":1,"seq":\d+,/, '{')
      .replace(/,"prev_hash":.*$/, '}')
      .replaceAll(/\b[0-9A-HJKMNP-TV-Z]{26}\b/g, (id) => {
        if (!ids.has(id)) ids.set(id, `ID${ids.size}`)
        return ids.get(id) as string
      }),
  )
  const isEnd = (line: string): boolean => line.includes('"event":"session_end"')
  return [...lines.filter((line) => !isEnd(line)), ...lines.filter(isEnd).sort()]
}

interface Told {
  readonly seen: Seen
  readonly lines: readonly string[]
}

async function runAsync({ budget, steps }: Script): Promise<Told> {
  const sink = AuditSink.memory()
  const clock = fakeClock()
  const agent = new Agent<ToolSet>({ identity: 'twin', budget, tools: toolsOn(clock), audit: sink, clock })
  const seen: Seen = []
  const open = (inner: readonly Step[], narrower: Budget | undefined): Promise<unknown> =>
    agent.session(
      'alice',
      (s) => driveAsync(play(s, inner, (step) => open(step.steps, step.budget), clock, seen)),
      narrower === undefined ? {} : { budget: narrower },
    )
  seen.push([await open(steps, undefined).catch(look)])
  await agent.close()
  return { seen, lines: normalised(sink) }
}

async function runSync({ budget, steps }: Script): Promise<Told> {
  const sink = AuditSink.memory()
  const clock = fakeClock()
  const agent = new Agent<ToolSet>({ identity: 'twin', budget, tools: toolsOn(clock), audit: sink, clock })
  const seen: Seen = []
  const open = (inner: readonly Step[], narrower: Budget | undefined): unknown =>
    agent.sessionSync(
      'alice',
      (s) => driveSync(play(s, inner, (step) => open(step.steps, step.budget), clock, seen)),
      narrower === undefined ? {} : { budget: narrower },
    )
  try {
    seen.push([open(steps, undefined)])
  } catch (error) {
    seen.push([look(error)])
  }
  await agent.close()
  return { seen, lines: normalised(sink) }
}

const count = (max: number): fc.Arbitrary<number> => fc.integer({ min: 0, max })
const input = fc.oneof(
  fc.record({ amount: fc.integer({ min: -2, max: 5 }) }),
  fc.constantFrom<unknown>({}, undefined, { amount: 'all' }, '{"amount":1}', '{"amount":', {
    amount: () => 1,
  }),
)
const usd = fc.constantFrom(0, 0.1, 0.3, 1)
const usage = fc.oneof(
  fc.record({ model: fc.constant('m'), inputTokens: count(10), outputTokens: count(10), costUsd: usd }),
  fc.constantFrom<unknown>(
    { model: 'm', inputTokens: 1, outputTokens: 1 },
    { model: 'm', inputTokens: -1, outputTokens: 0 },
    5,
  ),
)

function stepsOf(depth: number): fc.Arbitrary<Step[]> {
  const tool = { name: fc.constantFrom(...NAMES), input }
  const simple: fc.WeightedArbitrary<Step>[] = [
    {
      weight: 6,
      arbitrary: fc.record({ do: fc.constantFrom('call' as const, 'dispatch' as const), ...tool }),
    },
    { weight: 1, arbitrary: fc.record({ do: fc.constant('authorize' as const), ...tool }) },
    { weight: 2, arbitrary: fc.record({ do: fc.constant('record' as const), usage }) },
    {
      weight: 2,
      arbitrary: fc.record({
        do: fc.constant('reserve' as const),
        amount: fc.oneof(
          fc.record({ usd, tokens: count(20) }),
          fc.record({ model: fc.constant('m'), maxTokens: count(20), maxUsd: usd }),
        ),
        settle: fc.oneof(fc.constant(undefined), fc.record({ usd, tokens: count(30) }), usage),
      }),
    },
    { weight: 1, arbitrary: fc.record({ do: fc.constant('block' as const), ms: count(40) }) },
  ]
  const nest: fc.WeightedArbitrary<Step>[] =
    depth === 0
      ? []
      : [
          {
            weight: 1,
            arbitrary: fc.record({
              do: fc.constant('nest' as const),
              steps: stepsOf(depth - 1),
              budget: fc.oneof(fc.constant(undefined), fc.record({ toolCalls: count(2) })),
            }),
          },
        ]
  return fc
    .tuple(fc.array(fc.oneof(...simple, ...nest), { maxLength: 12 }), fc.integer({ min: 0, max: 9 }))
    .map(([steps, last]) => (last === 0 ? [...steps, { do: 'throw' as const }] : steps))
}

const script: fc.Arbitrary<Script> = fc.record({
  budget: fc
    .record(
      {
        usd: fc.constantFrom(0, 0.5, 1, 3),
        tokens: count(60),
        wallMs: fc.integer({ min: 1, max: 120 }),
        toolCalls: count(6),
        llmCalls: count(4),
        depth: count(2),
        denials: count(5),
      },
      { requiredKeys: [] },
    )
    // Nested sessions ask for fewer tool calls than this.
    .map((budget) => ({
      denials: 100,
      ...budget,
      ...(budget.toolCalls === undefined ? {} : { toolCalls: budget.toolCalls + 2 }),
    })),
  steps: stepsOf(2),
})

/** Plays scripts on both kinds, compares what came of them, and says what was recorded. */
async function compare(parameters: fc.Parameters<[Script]>): Promise<Set<string>> {
  const recorded = new Set<string>()
  await fc.assert(
    fc.asyncProperty(script, async (each) => {
      const [asynchronous, synchronous] = [await runAsync(each), await runSync(each)]
      expect(synchronous.lines).toEqual(asynchronous.lines)
      expect(synchronous.seen).toEqual(asynchronous.seen)
      for (const line of asynchronous.lines) {
        const { event, payload } = JSON.parse(line)
        const { reason, limit, metering, effect } = payload
        recorded.add(`${event} ${reason?.name ?? reason ?? limit ?? metering ?? effect ?? ''}`)
      }
    }),
    parameters,
  )
  return recorded
}

test('the same script, played on both kinds, is answered and recorded the same', async () => {
  await compare({ numRuns: 500 })
})

test('the scripts go everywhere: what they did not reach, they would not compare', async () => {
  const recorded = await compare({ numRuns: 500, seed: 7 })
  for (const reached of [
    'tool_call ',
    'tool_result occurred',
    'tool_result unknown',
    'tool_result none',
    'tool_denied not_registered',
    'tool_denied invalid_input',
    'tool_denied schema_error',
    'tool_denied predicate_false',
    'tool_denied predicate_error',
    'tool_denied max_calls',
    'tool_denied budget_exceeded',
    'llm_call reported',
    'llm_call refused',
    'llm_call estimated',
    'charge reported',
    'budget_exceeded usd',
    'budget_exceeded tokens',
    'budget_exceeded wall_ms',
    'budget_exceeded tool_calls',
    'budget_exceeded llm_calls',
    'budget_exceeded depth',
    'budget_exceeded denials',
    'session_end ',
    'session_end BudgetExceeded',
    'session_end RangeError',
  ]) {
    expect(recorded).toContain(reached)
  }
})
