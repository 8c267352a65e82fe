/**
 * Random trees of delegated sessions, of either kind, next to a model that knows nothing but who delegated to
 * whom: what each agent's tools allow, what each was given, and what each spent itself.
 */
import fc from 'fast-check'
import { expect, test } from 'vitest'
import {
  Agent,
  type AgentOptions,
  AuditSink,
  type Budget,
  BudgetExceeded,
  defineTool,
  type Remaining,
  type Session,
  type SyncSession,
  type ToolSet,
} from 'writ'
import { fakeClock } from 'writ/testing'
import * as z from 'zod'

const NAMES = ['t0', 't1', 't2'] as const
type Name = (typeof NAMES)[number]

/** What an agent's tool allows: amounts up to `most`, and a member more in its schema or not. */
interface Rule {
  readonly most: number
  readonly lax: boolean
}

interface Node {
  readonly tools: { readonly [N in Name]?: Rule }
  readonly slice: { readonly usd?: number; readonly toolCalls?: number; readonly depth?: number }
  readonly own: { readonly usd?: number; readonly toolCalls?: number; readonly depth?: number }
  readonly narrow: readonly Name[] | undefined
  readonly calls: readonly { readonly name: Name; readonly amount: number; readonly note: boolean }[]
  readonly charges: readonly number[]
  readonly children: readonly Node[]
}

type AnyKind = Session<ToolSet> | SyncSession<ToolSet>

/** A level of the tree while it runs. */
interface Level {
  readonly node: Node
  readonly session: AnyKind
  readonly budgets: readonly Partial<Budget>[]
  readonly tools: readonly Name[]
  /** What it charged and called itself. */
  own: { usd: number; toolCalls: number }
  readonly children: Level[]
}

interface World {
  readonly roots: Level[]
  readonly ran: {
    readonly path: readonly Level[]
    readonly name: Name
    readonly amount: number
    readonly note: boolean
  }[]
  readonly denied: string[]
}

type Options = Pick<AgentOptions, 'audit' | 'clock'>

const CENT = 0.01

function agentOf(
  node: Node,
  world: World,
  current: { path: readonly Level[] },
  options: Options,
): Agent<ToolSet> {
  const tools: Record<string, unknown> = {}
  for (const name of NAMES) {
    const rule = node.tools[name]
    if (rule === undefined) continue
    const shape = { amount: z.number().int() }
    tools[name] = defineTool({
      inputSchema: rule.lax ? z.object({ ...shape, note: z.string().optional() }) : z.object(shape),
      when: (input) => input.amount <= rule.most,
      execute: (input) => {
        world.ran.push({ path: current.path, name, amount: input.amount, note: Object.hasOwn(input, 'note') })
      },
    })
  }
  return new Agent({
    identity: 'node',
    budget: { denials: 1000, ...node.own },
    tools: tools as ToolSet,
    ...options,
  })
}

/** Everything that one level does, in order; what may be a promise is yielded. */
function* play(
  level: Level,
  path: readonly Level[],
  world: World,
  current: { path: readonly Level[] },
  options: Options,
): Generator<unknown, void, unknown> {
  const { node, session } = level
  for (const usd of node.charges) {
    try {
      session.reserve({ usd: usd * CENT }).settle({ usd: usd * CENT })
      level.own.usd += usd
    } catch (error) {
      if (!(error instanceof BudgetExceeded)) throw error
    }
  }
  for (const { name, amount, note } of node.calls) {
    current.path = path
    const before = world.ran.length
    try {
      const result = (yield session.dispatch({ name, input: note ? { amount, note: 'x' } : { amount } })) as {
        ok: boolean
      }
      if (!result.ok) world.denied.push(name)
    } catch (error) {
      if (!(error instanceof BudgetExceeded)) throw error
    }
    level.own.toolCalls += world.ran.length - before
  }
  for (const child of node.children) {
    const agent = agentOf(child, world, current, options)
    const names = NAMES.filter((name) => child.tools[name] !== undefined)
    const tools = child.narrow?.filter((name) => names.includes(name))
    const budget = Object.keys(child.slice).length === 0 ? undefined : child.slice
    try {
      yield session.delegate(
        agent,
        { ...(budget === undefined ? {} : { budget }), ...(tools === undefined ? {} : { tools }) },
        ((inner: AnyKind) =>
          run(inner, child, level, path, world, current, options, tools ?? names)) as never,
      )
    } catch (error) {
      if (!(error instanceof BudgetExceeded) && !(error instanceof RangeError)) throw error
    }
  }
}

let kind: 'async' | 'sync' = 'async'

function run(
  session: AnyKind,
  node: Node,
  parent: Level | undefined,
  above: readonly Level[],
  world: World,
  current: { path: readonly Level[] },
  options: Options,
  tools: readonly Name[],
): unknown {
  const level: Level = {
    node,
    session,
    budgets: parent === undefined ? [node.own] : [node.own, node.slice],
    tools,
    own: { usd: 0, toolCalls: 0 },
    children: [],
  }
  if (parent === undefined) world.roots.push(level)
  else parent.children.push(level)
  const path = [...above, level]
  const left: Remaining = session.remaining()
  for (const each of path) {
    for (const limit of ['usd', 'toolCalls'] as const) {
      for (const budget of each.budgets) {
        const most = budget[limit]
        if (most !== undefined) expect(left[limit]).toBeLessThanOrEqual(most)
      }
    }
  }
  const steps = play(level, path, world, current, options)
  if (kind === 'sync') {
    let step = steps.next()
    while (step.done !== true) step = steps.next(step.value)
    return undefined
  }
  return (async () => {
    let step = steps.next()
    while (step.done !== true) {
      const [one] = await Promise.allSettled([step.value])
      step = one.status === 'fulfilled' ? steps.next(one.value) : steps.throw(one.reason)
    }
  })()
}

async function grow(root: Node): Promise<World> {
  const world: World = { roots: [], ran: [], denied: [] }
  const current: { path: readonly Level[] } = { path: [] }
  const options = { audit: AuditSink.memory(), clock: fakeClock() }
  const agent = agentOf(root, world, current, options)
  const names = NAMES.filter((name) => root.tools[name] !== undefined)
  try {
    if (kind === 'async') {
      await agent.session('alice', (s) =>
        run(s as never, root, undefined, [], world, current, options, names),
      )
    } else
      agent.sessionSync('alice', (s) => run(s as never, root, undefined, [], world, current, options, names))
  } catch (error) {
    if (!(error instanceof BudgetExceeded)) throw error
  }
  return world
}

const limits = fc.record(
  {
    usd: fc.integer({ min: 0, max: 30 }).map((cents) => cents / 100),
    toolCalls: fc.integer({ min: 0, max: 8 }),
    depth: fc.integer({ min: 0, max: 3 }),
  },
  { requiredKeys: [] },
)
const rule: fc.Arbitrary<Rule> = fc.record({ most: fc.integer({ min: 0, max: 9 }), lax: fc.boolean() })
const tree = fc.letrec<{ node: Node }>((tie) => ({
  node: fc.record({
    tools: fc.record({ t0: rule, t1: rule, t2: rule }, { requiredKeys: ['t0'] }),
    slice: limits,
    own: limits,
    narrow: fc.option(fc.subarray([...NAMES]), { nil: undefined, freq: 3 }),
    calls: fc.array(
      fc.record({
        name: fc.constantFrom(...NAMES),
        amount: fc.integer({ min: 0, max: 9 }),
        note: fc.boolean(),
      }),
      { maxLength: 5 },
    ),
    charges: fc.array(fc.integer({ min: 0, max: 12 }), { maxLength: 3 }),
    children: fc.oneof(
      { maxDepth: 3, withCrossShrink: true },
      fc.constant<readonly Node[]>([]),
      fc.array(tie('node'), { minLength: 1, maxLength: 3 }),
    ),
  }),
})).node

function* walk(level: Level): Generator<Level> {
  yield level
  for (const child of level.children) yield* walk(child)
}

const inCents = (usd: number): number => Math.round(usd * 100)

test.each(['async', 'sync'] as const)(
  'no leaf does what some ancestor could not, and every node has spent its own and what is below (%s)',
  async (which) => {
    kind = which
    let deep = 0
    let denied = 0
    await fc.assert(
      fc.asyncProperty(tree, async (root) => {
        const world = await grow(root)
        denied += world.denied.length
        for (const { path, name, amount, note } of world.ran) {
          deep = Math.max(deep, path.length)
          for (const { node, tools } of path) {
            const above = node.tools[name]
            expect(tools).toContain(name)
            expect(amount).toBeLessThanOrEqual(above?.most ?? -1)
            if (note) expect(above?.lax).toBe(true)
          }
        }
        for (const top of world.roots) {
          for (const level of walk(top)) {
            const usage = level.session.usage()
            const below = [...walk(level)]
            // Conservation: everything once, nothing twice.
            expect(inCents(usage.usd)).toBe(below.reduce((sum, { own }) => sum + own.usd, 0))
            expect(usage.toolCalls).toBe(below.reduce((sum, { own }) => sum + own.toolCalls, 0))
            expect(usage.usd).toBeCloseTo(
              level.own.usd * CENT + level.children.reduce((sum, c) => sum + c.session.usage().usd, 0),
              9,
            )
            for (const budget of level.budgets) {
              if (budget.usd !== undefined) expect(usage.usd).toBeLessThanOrEqual(budget.usd)
              if (budget.toolCalls !== undefined)
                expect(usage.toolCalls).toBeLessThanOrEqual(budget.toolCalls)
              if (budget.depth !== undefined) expect(usage.depth).toBeLessThanOrEqual(budget.depth)
            }
          }
        }
      }),
      { numRuns: 400, seed: 11 },
    )
    expect(deep).toBeGreaterThan(2)
    expect(denied).toBeGreaterThan(50)
  },
)

test('siblings in parallel never oversubscribe what they share, and settle to the sum of what they spent', async () => {
  const cents = fc.integer({ min: 0, max: 20 })
  const worker = fc.array(fc.tuple(cents, cents), { maxLength: 5 })
  await fc.assert(
    fc.asyncProperty(
      fc.array(worker, { minLength: 2, maxLength: 6 }),
      fc.integer({ min: 0, max: 100 }),
      fc.scheduler(),
      async (workers, shared, scheduler) => {
        const audit = AuditSink.memory()
        const boss = new Agent({ identity: 'boss', budget: { usd: shared / 100 }, audit })
        const clerk = new Agent({ identity: 'clerk', budget: { usd: 100 }, audit })
        let [held, spent] = [0, 0]
        const check = (s: Session): void => {
          expect(inCents(s.usage().usd)).toBeLessThanOrEqual(shared)
          // What was held when a limit killed the parent is charged in full.
          if (s.state !== 'open') return
          expect(held + spent).toBeLessThanOrEqual(shared)
          expect(inCents(s.usage().usd)).toBe(spent)
          expect(inCents(s.remaining().usd ?? 0)).toBe(shared - spent - held)
        }
        const failures: unknown[] = []
        const end = boss.session('alice', async (s) => {
          const all = workers.map((calls) =>
            s.delegate(clerk, {}, async (child) => {
              for (const [ask, use] of calls) {
                try {
                  const hold = child.reserve({ usd: ask / 100 })
                  held += ask
                  check(s)
                  await scheduler.schedule(Promise.resolve())
                  held -= ask
                  spent += Math.min(ask, use)
                  hold.settle({ usd: Math.min(ask, use) / 100 })
                  check(s)
                } catch (error) {
                  if ((error as Error).name === 'AssertionError') failures.push(error)
                  if ((error as { code?: string }).code !== 'ERR_BUDGET_RESERVED') throw error
                }
              }
            }),
          )
          const ended = Promise.allSettled(all)
          await scheduler.waitFor(ended)
        })
        await end.catch((error) => expect(error).toBeInstanceOf(BudgetExceeded))
        await scheduler.waitAll()
        if (failures[0] !== undefined) throw failures[0]
      },
    ),
    { numRuns: 200 },
  )
})
