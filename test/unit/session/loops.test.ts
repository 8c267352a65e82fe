import { describe, expect, test } from 'vitest'
import {
  type ApprovalRequest,
  defineTool,
  type LoopOptions,
  type Session,
  type SyncSession,
  ToolNotPermitted,
} from 'writ'
import * as z from 'zod'
import { bench, rejection, thrown } from '../../support/agents.js'
import { anything, raise } from '../../support/tools.js'

const input = z.object({ n: z.number().optional(), m: z.number().optional() })
let failing = true
const tools = {
  a: defineTool({ inputSchema: input, execute: () => 'a' }),
  b: defineTool({ inputSchema: input, execute: () => 'b' }),
  c: defineTool({ inputSchema: input, execute: () => 'c' }),
  /** Hands on its input as it is, with its members in the order they came in. */
  raw: defineTool({ inputSchema: anything, execute: () => 'raw' }),
  flaky: defineTool({
    inputSchema: z.object({ n: z.number().optional(), code: z.string().optional() }),
    execute: ({ code }) =>
      failing ? raise(Object.assign(new RangeError('x'), code === undefined ? {} : { code })) : 'ok',
  }),
  slow: defineTool({
    inputSchema: input,
    timeoutMs: 10,
    execute: () => new Promise<string>(() => undefined),
  }),
}

type Loops = LoopOptions | boolean

const only = (part: LoopOptions): LoopOptions => ({ repeat: false, cycle: false, errors: false, ...part })

/** Makes calls in both kinds of session and says of each whether it ran, failed or was denied. */
async function outcomes(
  loops: Loops | undefined,
  calls: readonly (readonly [name: string, input?: object])[],
): Promise<string[]> {
  const word = (result: { ok: boolean; denial?: { reason: string } }): string =>
    result.ok ? 'ran' : (result.denial?.reason ?? '?')
  const options = { budget: { toolCalls: 1000 }, tools, ...(loops === undefined ? {} : { loops }) }
  const [one, other] = [bench(options), bench(options)]
  const asynchronous = await one.agent.session('alice', async (s) => {
    const seen: string[] = []
    for (const [name, given = {}] of calls) seen.push(word(await s.dispatch({ name, input: given })))
    return seen
  })
  const synchronous = other.agent.sessionSync('alice', (s) =>
    calls.map(([name, given = {}]) => word(s.dispatch({ name, input: given }))),
  )
  expect(synchronous).toEqual(asynchronous)
  expect(one.payloads('tool_denied')).toHaveLength(
    asynchronous.filter((each) => each === 'loop_detected').length,
  )
  return asynchronous
}

const times = <T>(count: number, value: T): T[] => Array.from({ length: count }, () => value)
const names = (text: string): [string][] => [...text].map((name) => [name])
const counts = (seen: readonly string[]): number => seen.filter((each) => each !== 'loop_detected').length

describe('the same call over and over', () => {
  test('is let alone where nothing was asked for', async () => {
    for (const loops of [undefined, false])
      expect(counts(await outcomes(loops, names('a'.repeat(300))))).toBe(300)
  })

  test('runs five times in a minute, by default, and is then denied by name', async () => {
    expect(await outcomes(true, names('aaaaaaa'))).toEqual([...times(5, 'ran'), ...times(2, 'loop_detected')])
  })

  test('runs as often as was said', async () => {
    expect(counts(await outcomes(only({ repeat: { times: 2 } }), names('aaaa')))).toBe(2)
  })

  test('is the same whatever stands between, and whatever the order of its members', async () => {
    const calls = [
      ['raw', { n: 1, m: 2 }],
      ['b', { n: 1 }],
      ['raw', { m: 2, n: 1 }],
      ['b', { n: 2 }],
      ['raw', { n: 1, m: 2 }],
    ] as const
    expect(await outcomes(only({ repeat: { times: 2 } }), calls)).toEqual([
      ...times(4, 'ran'),
      'loop_detected',
    ])
  })

  test('is another one with another input or another tool', async () => {
    const calls = [...Array(50).keys()].map((n) => ['a', { n }] as const)
    expect(counts(await outcomes(true, calls))).toBe(50)
    expect(counts(await outcomes(only({ repeat: { times: 1 } }), names('abc')))).toBe(3)
  })

  test('is allowed again once it has been left alone for the window; asking meanwhile does not help', async () => {
    const { agent, clock } = bench({
      budget: { toolCalls: 100 },
      tools,
      loops: only({ repeat: { times: 2, windowMs: 100 } }),
    })
    const seen: boolean[] = []
    await agent.session('alice', async (s) => {
      for (const ms of [0, 50, 40, 50, 99, 100]) {
        await clock.advance(ms)
        seen.push((await s.dispatch({ name: 'a', input: {} })).ok)
      }
    })
    expect(seen).toEqual([true, true, false, false, true, true])
  })

  test('is seen by authorize, which remembers nothing', async () => {
    const { agent } = bench({ budget: { toolCalls: 100 }, tools, loops: only({ repeat: { times: 1 } }) })
    await agent.session('alice', async (s) => {
      for (let i = 0; i < 3; i++) expect(await s.authorize('a', {})).toMatchObject({ allowed: true })
      await s.callTool('a', {})
      expect(await s.authorize('a', {})).toMatchObject({ allowed: false, reason: 'loop_detected' })
    })
  })

  test('counts as a denial, does not run, and is on record with what was seen', async () => {
    const { agent, payloads } = bench({
      budget: { denials: 0 },
      tools,
      loops: only({ repeat: { times: 1 } }),
    })
    const end = await rejection(
      agent.session('alice', async (s) => {
        await s.callTool('a', {})
        await s.callTool('a', {})
      }),
    )
    expect(end).toMatchObject({ limit: 'denials' })
    expect(payloads('tool_denied')).toMatchObject([{ tool: 'a', reason: 'loop_detected', loop: 'repeat' }])
    expect(payloads('tool_call')).toHaveLength(1)
  })

  test('throws ToolNotPermitted from callTool', async () => {
    const { agent } = bench({ budget: { toolCalls: 9 }, tools, loops: only({ repeat: { times: 1 } }) })
    const twice = (s: Session<typeof tools> | SyncSession<typeof tools>) => [
      s.callTool('a', {}),
      s.callTool('a', {}),
    ]
    expect(await rejection(agent.session('alice', (s) => Promise.all(twice(s))))).toBeInstanceOf(
      ToolNotPermitted,
    )
    expect(thrown(() => agent.sessionSync('alice', twice))).toMatchObject({ reason: 'loop_detected' })
  })

  test('of one session is not that of another', async () => {
    const { agent } = bench({ budget: { toolCalls: 100 }, tools, loops: only({ repeat: { times: 1 } }) })
    for (let i = 0; i < 3; i++) expect(await agent.session('alice', (s) => s.callTool('a', {}))).toBe('a')
  })
})

describe('calls that go round in circles', () => {
  const cycle = only({ cycle: { times: 2, maxPeriod: 4 } })

  test.each([
    ['ab', 2],
    ['abc', 3],
    ['aab', 3],
    ['abac', 4],
    ['aabb', 4],
  ])('of %s run twice, and what begins the third round is denied', async (pattern, period) => {
    const seen = await outcomes(cycle, names(pattern.repeat(4)))
    expect(seen.indexOf('loop_detected')).toBe(period * 2)
    // Every call that goes on with it is denied as well.
    expect(seen.slice(period * 2)).toEqual(times(period * 2, 'loop_detected'))
  })

  test('are seen wherever they begin', async () => {
    expect((await outcomes(cycle, names('cabcabababab'))).indexOf('loop_detected')).toBe(8)
  })

  test('are broken by another call', async () => {
    expect(counts(await outcomes(cycle, names('ababcababc')))).toBe(10)
    expect(counts(await outcomes(cycle, [...names('abab'), ['a', { n: 1 }], ...names('abab')]))).toBe(9)
  })

  test('are none where one call is made over and over: that is a repetition', async () => {
    expect(counts(await outcomes(cycle, names('a'.repeat(40))))).toBe(40)
  })

  test('longer than was asked for are not looked for', async () => {
    expect(counts(await outcomes(only({ cycle: { times: 2, maxPeriod: 2 } }), names('abc'.repeat(9))))).toBe(
      27,
    )
  })
})

describe('the same error over and over', () => {
  const errors = only({ errors: { times: 3 } })

  test('stops the tool, whatever its input, and no other', async () => {
    failing = true
    const calls = [...Array(5).keys()].map((n) => ['flaky', { n }] as const)
    expect(await outcomes(errors, calls)).toEqual([...times(3, 'tool_error'), ...times(2, 'loop_detected')])
    expect(await outcomes(errors, [...calls, ['a'], ['flaky']])).toEqual([
      ...times(3, 'tool_error'),
      ...times(2, 'loop_detected'),
      'ran',
      'tool_error',
    ])
  })

  test('is broken by a success and by another error', async () => {
    const again = ['flaky', {}] as const
    const other = ['flaky', { code: 'EOTHER' }] as const
    expect(counts(await outcomes(errors, [again, again, other, again, again, other]))).toBe(6)
    expect(counts(await outcomes(errors, [again, again, ['a'], again, again, ['a']]))).toBe(6)
  })

  test('is also that of a tool that runs into its time limit', async () => {
    const { agent, clock, payloads } = bench({
      budget: { toolCalls: 100 },
      tools,
      loops: only({ errors: { times: 2 } }),
    })
    await agent.session('alice', async (s) => {
      for (let i = 0; i < 2; i++) {
        const call = s.dispatch({ name: 'slow', input: { n: i } })
        await clock.advance(10)
        expect(await call).toMatchObject({ denial: { reason: 'tool_timeout' } })
      }
      expect(await s.dispatch({ name: 'slow', input: {} })).toMatchObject({
        denial: { reason: 'loop_detected' },
      })
    })
    expect(payloads('tool_denied')).toMatchObject([{ loop: 'errors' }])
  })
})

describe('with `approve`, a loop is asked about', () => {
  const loops = { ...only({ repeat: { times: 1 } }), action: 'approve' } as const

  test('and denied where nobody can be asked', async () => {
    const { agent, payloads } = bench({ budget: { toolCalls: 100 }, tools, loops })
    await agent.session('alice', async (s) => {
      expect(await s.dispatch({ name: 'a', input: {} })).toMatchObject({ ok: true })
      expect(await s.authorize('a', {})).toMatchObject({ allowed: true, needsApproval: true })
      expect(await s.dispatch({ name: 'a', input: {} })).toMatchObject({
        denial: { reason: 'approval_unavailable' },
      })
    })
    expect(payloads('tool_denied')).toHaveLength(1)
  })

  test.each([true, false])('and goes on as a person says (%s)', async (approved) => {
    const asked: unknown[] = []
    const approve = ({ tool, cause }: ApprovalRequest) => {
      asked.push([tool, cause])
      return { approved, by: 'marta' }
    }
    const options = { budget: { toolCalls: 100 }, tools, loops, approve }
    const [one, other] = [bench(options), bench(options)]
    const twice = { name: 'a', input: {} }
    await one.agent.session('alice', async (s) => {
      await s.dispatch(twice)
      expect(await s.dispatch(twice)).toMatchObject({ ok: approved })
    })
    other.agent.sessionSync('alice', (s) => {
      s.dispatch(twice)
      expect(s.dispatch(twice)).toMatchObject({ ok: approved })
    })
    for (const { payloads } of [one, other]) expect(payloads('tool_call')).toHaveLength(approved ? 2 : 1)
    expect(asked).toHaveLength(2)
    expect(asked[0]).toEqual(['a', 'loop_detected'])
  })
})

test.each([
  ['yes', TypeError],
  [5, TypeError],
  [null, TypeError],
  [{ repeats: {} }, TypeError],
  [{ action: 'ask' }, RangeError],
  [{ repeat: { times: 0 } }, RangeError],
  [{ repeat: { times: 257 } }, RangeError],
  [{ repeat: { times: Number.NaN } }, RangeError],
  [{ repeat: { windowMs: 0 } }, RangeError],
  [{ cycle: { times: 1 } }, RangeError],
  [{ cycle: { maxPeriod: 1 } }, RangeError],
  [{ cycle: { maxPeriod: 9 } }, RangeError],
  [{ errors: true }, TypeError],
  [{ errors: { times: '5' } }, TypeError],
  [{ repeat: false, cycle: false, errors: false }, TypeError],
])('options that are none are refused: %j', (loops, kind) => {
  expect(thrown(() => bench({ budget: { toolCalls: 1 }, loops: loops as never }))).toBeInstanceOf(kind)
})
