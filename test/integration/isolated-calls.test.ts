import { afterAll, describe, expect, test } from 'vitest'
import { Agent, AuditSink, defineTool } from 'writ'
import { isolated, ToolCrashed } from 'writ/isolated'
import * as z from 'zod'
import { rejection } from '../support/agents.js'
import { contextOf, isolate, isolatedBench, TOOLS, until } from '../support/isolated-bench.js'
import { turn } from '../support/tools.js'

const KINDS = ['session', 'sessionSync'] as const
const WHERE = [false, true] as const
const BOTH = KINDS.flatMap((kind) => WHERE.map((inProcess) => ({ kind, process: inProcess })))

describe.each(BOTH)('in a $kind, process: $process', ({ kind, process: inProcess }) => {
  const bench = (name: string, options = {}) =>
    isolatedBench(isolate(name, { process: inProcess, ...options }), kind)

  test('a tool receives its input and returns its result', async () => {
    const { call, payloads } = bench('add')
    expect(await call({ a: 2, b: 3 })).toBe(5)
    expect(payloads('tool_result')).toMatchObject([{ ok: true, effect: 'occurred' }])
  })

  test('input and result cross unchanged', async () => {
    const value = {
      text: 'ü \u0000 \ud800 \u2028 "quoted" \\',
      numbers: [0, 1.5, 1e300, 5e-324, Number.MAX_SAFE_INTEGER],
      deep: { list: [{ nothing: null, yes: true }, []] },
    }
    const { call } = bench('echo')
    expect(await call(value)).toEqual(value)
    expect(await call({ there: 1, absent: undefined })).toEqual({ there: 1 })
    expect(await bench('isNegativeZero').call({ zero: -0 })).toBe(true)
  })

  test('the input is frozen', async () => {
    expect(await bench('frozen').call({ list: [] })).toBe('TypeError')
  })

  test('it is told of its call and its session, and has a signal', async () => {
    const { call, payloads } = bench('facts')
    const facts = (await call()) as { callId: string; session: Record<string, string>; aborted: boolean }
    expect(facts.callId).toBe(payloads('tool_call')[0]?.['call_id'])
    expect(facts.session).toEqual({
      id: facts.callId.split('.')[0],
      principal: `isolated-bot/v1@${facts.session['id']}`,
      user: 'alice',
    })
    expect(facts.aborted).toBe(false)
  })

  test('what it throws is thrown, as an error with its name, message and code', async () => {
    const { call, payloads } = bench('fails')
    const error = await rejection(call())
    expect(error).toBeInstanceOf(Error)
    expect(error).toMatchObject({ name: 'RangeError', message: 'no such order', code: 'ENOORDER' })
    expect((error as Error).stack).toContain('isolated-tools-child.mjs')
    expect(payloads('tool_result')).toMatchObject([
      { ok: false, error: { name: 'RangeError', code: 'ENOORDER' }, effect: 'unknown' },
    ])
  })

  test('one that throws no error fails all the same', async () => {
    expect(await rejection(bench('throwsNothing').call())).toBeInstanceOf(Error)
  })

  // One worker for many tests: starting it takes longer than they do.
  const output = isolated(TOOLS, { name: 'output', process: inProcess, max: 1 })
  afterAll(() => output.close())

  test.each([
    ['nothing', undefined],
    ['getter', { value: 'read once' }],
    ['absent', { there: 1 }],
  ])('a result of %s is one', async (what, result) => {
    expect(await isolatedBench(output, kind).call({ kind: what })).toEqual(result)
  })

  test.each([
    ['function', 'result is a function'],
    ['symbol', 'result is a symbol'],
    ['bigint', 'result is a bigint'],
    ['nan', 'result is NaN'],
    ['infinity', 'result.a[0] is Infinity'],
    ['date', 'result is an instance of a class'],
    ['map', 'result is an instance of a class'],
    ['buffer', 'result is an instance of a class'],
    ['cycle', 'or a cycle'],
    ['deep', 'nested deeper than 64'],
    ['large', 'larger than 1048576 bytes'],
    ['many', 'more than 100000 members'],
    ['prototype', 'the key __proto__ (result.a.__proto__)'],
    ['constructor', 'the key constructor'],
  ])('a result of %s is refused', async (what, fault) => {
    const { call, payloads } = isolatedBench(output, kind)
    const error = await rejection(call({ kind: what }))
    expect(error).toBeInstanceOf(ToolCrashed)
    expect(error).toMatchObject({ code: 'ERR_TOOL_CRASHED', reason: 'output' })
    expect((error as Error).message).toContain(fault)
    expect(payloads('tool_result')).toMatchObject([{ ok: false, effect: 'unknown' }])
    expect(Object.hasOwn(Object.prototype, 'polluted')).toBe(false)
  })

  test('what it sends beside its answer is no answer, for this call and the next ones', async () => {
    const { call } = bench('impostor', { max: 1 })
    for (let real = 0; real < 5; real++) expect(await call({ real })).toBe(real)
  })

  test('only its first answer counts', async () => {
    const { call } = bench('babbles', { max: 1 })
    for (let real = 0; real < 5; real++) expect(await call({ real })).toBe(real)
  })

  test('a worker is kept for the next call', async () => {
    const { call } = bench('count')
    await call()
    expect(await call()).toMatchObject({ calls: 2 })
  })

  test('a worker is replaced after maxCallsPerWorker calls', async () => {
    const execute = isolate('count', { process: inProcess, maxCallsPerWorker: 2, max: 1 })
    const { call } = isolatedBench(execute, kind)
    const seen: number[] = []
    for (let round = 0; round < 5; round++) seen.push(((await call()) as { calls: number }).calls)
    expect(seen).toEqual([1, 2, 1, 2, 1])
  })

  test.each([
    [{ big: 1n }, 'input.big is a bigint'],
    [[1, [undefined]], 'input.1.0 is undefined'],
  ])('an input that JSON cannot carry is refused before anything starts', async (input, fault) => {
    const execute = isolate('echo', { process: inProcess })
    const error = await rejection(isolatedBench(execute, kind).call(input))
    expect(error).toBeInstanceOf(TypeError)
    expect((error as Error).message).toContain(fault)
    expect(execute.size).toBe(0)
  })
})

test('the types of the result and of the input are those of the tool', async () => {
  const execute = isolated<number>(TOOLS, { name: 'add' })
  await using closing = execute
  const add = defineTool({ inputSchema: z.object({ a: z.number(), b: z.number() }), execute: closing })
  const agent = new Agent({
    identity: 'a/v1',
    budget: { toolCalls: 5 },
    tools: { add },
    audit: AuditSink.memory(),
  })
  const sum: number = await agent.session('alice', (s) => s.callTool('add', { a: 1, b: 2 }))
  expect(sum).toBe(3)
})

test('an input that is no plain data is refused also without a session', async () => {
  const execute = isolate('echo')
  for (const input of [() => 1, new Date(), Object.create({ inherited: 1 })]) {
    expect(() => execute(input, contextOf())).toThrow(TypeError)
  }
})

test('calls wait in order for a worker, and never run two at once on one', async () => {
  const execute = isolate('waits', { max: 2 })
  const order: unknown[] = []
  await Promise.all(
    Array.from({ length: 8 }, async (_, id) => {
      order.push(await execute({ id, waitMs: 5 }, contextOf()))
      expect(execute.size).toBeLessThanOrEqual(2)
    }),
  )
  // Two workers may finish in either order; no call overtakes more than the one beside it.
  for (const [place, id] of order.entries()) expect(Math.abs(Number(id) - place)).toBeLessThanOrEqual(1)
})

test('a synchronous call waits for a worker that an asynchronous one holds', async () => {
  const execute = isolate('waits', { max: 1 })
  const first = execute({ id: 'first', waitMs: 50 }, contextOf())
  expect(execute({ id: 'second', waitMs: 0 }, contextOf({ sync: true }))).toBe('second')
  expect(await first).toBe('first')
})

test('idle workers are ended, but not those that are to be kept', async () => {
  const execute = isolate('waits', { min: 1, max: 3, idleMs: 1 })
  expect(execute.size).toBe(1)
  await Promise.all([0, 1, 2].map((id) => execute({ id, waitMs: 20 }, contextOf())))
  await until(() => execute.size === 1)
  await turn()
  expect(await execute({ id: 'again', waitMs: 0 }, contextOf())).toBe('again')
})

test('after close() nothing runs, what ran is refused, and no worker is left', async () => {
  const execute = isolate('waits', { max: 1 })
  const running = rejection(Promise.resolve(execute({ id: 1, waitMs: 60_000 }, contextOf())))
  const waiting = rejection(Promise.resolve(execute({ id: 2, waitMs: 0 }, contextOf())))
  await until(() => execute.size === 1)
  await execute.close()
  for (const refused of [running, waiting]) expect(await refused).toMatchObject({ reason: 'closed' })
  expect(execute.size).toBe(0)
  expect(await rejection(Promise.resolve(execute({ id: 3, waitMs: 0 }, contextOf())))).toMatchObject({
    code: 'ERR_TOOL_CRASHED',
    reason: 'closed',
  })
  expect(() => execute({ id: 4 }, contextOf({ sync: true }))).toThrow(ToolCrashed)
  await execute.close()
})
