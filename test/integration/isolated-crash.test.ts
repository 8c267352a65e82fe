import { readFileSync } from 'node:fs'
import type { Worker } from 'node:worker_threads'
import { describe, expect, test } from 'vitest'
import { type IsolatedTool, isolated, ToolCrashed } from 'writ/isolated'
import { rejection, thrown } from '../support/agents.js'
import { contextOf, isolate, isolatedBench, scratchFile, TOOLS, until } from '../support/isolated-bench.js'

const KINDS = ['session', 'sessionSync'] as const

interface Crash {
  readonly how: string
  readonly process: boolean
  readonly memoryMb?: number
  readonly reason: string
  readonly message: string
}

const CRASHES: readonly Crash[] = [
  { how: 'exit', process: false, reason: 'exit', message: 'exit code 3' },
  { how: 'exit', process: true, reason: 'exit', message: 'exit code 3' },
  { how: 'strays', process: false, reason: 'exit', message: 'TypeError: outside' },
  { how: 'strays', process: true, reason: 'exit', message: 'exit code' },
  { how: 'abort', process: true, reason: 'exit', message: 'by SIGABRT' },
  { how: 'fault', process: true, reason: 'exit', message: 'by SIGSEGV' },
  { how: 'disconnects', process: true, reason: 'exit', message: 'by SIGKILL' },
  { how: 'hoardHeap', process: true, memoryMb: 32, reason: 'memory', message: 'memory' },
  { how: 'hoardBuffers', process: true, memoryMb: 32, reason: 'memory', message: 'memory' },
]

describe.each(KINDS)('in a %s', (kind) => {
  test.each(CRASHES)(
    '$how (process: $process) is the error of the tool, and the next call works',
    async ({ how, process, memoryMb, reason, message }) => {
      const execute = isolate('does', { process, max: 1, ...(memoryMb === undefined ? {} : { memoryMb }) })
      const { call, payloads } = isolatedBench(execute, kind)
      expect(await call({ what: 'add', a: 1, b: 1 })).toBe(2)
      const error = await rejection(call({ what: how }))
      expect(error).toBeInstanceOf(ToolCrashed)
      expect(error).toMatchObject({ code: 'ERR_TOOL_CRASHED', reason })
      expect((error as Error).message).toContain(message)
      expect(payloads('tool_result').slice(1)).toMatchObject([
        { ok: false, error: { name: 'ToolCrashed', code: 'ERR_TOOL_CRASHED' }, effect: 'unknown' },
      ])
      expect(payloads('session_end').at(-1)).toMatchObject({ outcome: 'failed' })
      expect(await call({ what: 'add', a: 2, b: 2 })).toBe(4)
    },
  )
})

describe('a module that cannot be loaded', () => {
  const broken = [
    [new URL('./missing.mjs', TOOLS), 'missing.mjs'],
    ['data:text/javascript,syntax error', 'SyntaxError'],
    ['data:text/javascript,throw new TypeError("at the top")', 'at the top'],
    ['data:text/javascript,export const other = 1', 'no function named default'],
    ['data:text/javascript,export default 5', 'no function named default'],
    ['data:text/javascript,process.exit(9)', 'exit code 9'],
  ] as const

  test.each(KINDS.flatMap((kind) => broken.map(([url, why]) => [kind, String(url), why] as const)))(
    'in a %s: %s',
    async (kind, url, why) => {
      await using execute = isolated(url)
      const error = await rejection(isolatedBench(execute, kind).call())
      expect(error).toMatchObject({ code: 'ERR_TOOL_CRASHED', reason: 'load' })
      expect((error as Error).message).toContain(`from ${url}: `)
      expect((error as Error).message).toContain(why)
    },
  )

  test('is not loaded again for every call', async () => {
    const loads = scratchFile('loads')
    const code = `import { appendFileSync } from 'node:fs'; appendFileSync(${JSON.stringify(loads)}, 'x'); throw new TypeError('broken')`
    await using execute = isolated(`data:text/javascript,${encodeURIComponent(code)}`, { min: 1 })
    for (let round = 0; round < 50; round++) {
      expect(await rejection(Promise.resolve(execute({}, contextOf())))).toMatchObject({ reason: 'load' })
    }
    expect(readFileSync(loads, 'utf8').length).toBeLessThan(5)
  })

  test('is tried again after a while', async () => {
    const flag = scratchFile('flag')
    const code = `import { existsSync, writeFileSync } from 'node:fs'
      if (!existsSync(${JSON.stringify(flag)})) { writeFileSync(${JSON.stringify(flag)}, ''); throw new TypeError('once') }
      export default () => 'loaded'`
    await using execute = isolated(`data:text/javascript,${encodeURIComponent(code)}`)
    const attempt = (): unknown => execute({}, contextOf({ sync: true }))
    expect(thrown(attempt)).toMatchObject({ reason: 'load' })
    const result = await until(() => {
      try {
        return attempt()
      } catch {
        return undefined
      }
    })
    expect(result).toBe('loaded')
  })
})

/** A pseudorandom number generator with a seed, so that a failure can be repeated. */
function randomFrom(seed: number): (below: number) => number {
  let state = seed
  return (below) => {
    state = (Math.imul(state, 1_664_525) + 1_013_904_223) >>> 0
    return Math.floor((state / 2 ** 32) * below)
  }
}

test('200 calls with crashes among them: every answer is that of its call', { timeout: 60_000 }, async () => {
  const execute = isolate('random', { max: 3 })
  const random = randomFrom(20_261_121)
  const endings = ['return', 'return', 'return', 'return', 'throw', 'exit', 'stray', 'loop']
  await Promise.all(
    Array.from({ length: 200 }, async (_, id) => {
      const how = endings[random(endings.length)] as string
      const controller = new AbortController()
      const input = { id, how, waitMs: random(3) }
      const call = Promise.resolve(execute(input, contextOf({ signal: controller.signal })))
      // A loop ends when it is stopped, and others are stopped wherever they are.
      if (how === 'loop' || random(10) === 0) setTimeout(() => controller.abort(), random(2_000))
      const outcome = await call.catch((error: unknown) => error)
      if (how === 'return' && !controller.signal.aborted) {
        expect(outcome).toBe(id)
      } else if (outcome instanceof Error && outcome.name === 'RangeError') {
        expect(outcome.message).toBe(String(id))
      } else if (!(outcome instanceof Error)) {
        expect(outcome).toBe(id)
      }
    }),
  )
  expect(await execute({ id: 'after', how: 'return', waitMs: 0 }, contextOf())).toBe('after')
  expect(execute.size).toBeLessThanOrEqual(3)
})

describe('when what watches the workers is lost', () => {
  /** Threads that were started from this one while `work` ran. */
  function threadsOf(work: () => void): Worker[] {
    const threads = process.getBuiltinModule('node:worker_threads')
    const { Worker: Original } = threads
    const started: Worker[] = []
    class Watched extends Original {
      constructor(...args: ConstructorParameters<typeof Original>) {
        super(...args)
        started.push(this)
      }
    }
    Object.assign(threads, { Worker: Watched })
    try {
      work()
    } finally {
      Object.assign(threads, { Worker: Original })
    }
    return started
  }

  test('calls under way and waiting fail, and the next one works', async () => {
    let execute!: IsolatedTool<unknown>
    const [keeper] = threadsOf(() => {
      execute = isolate('random', { min: 1, max: 1 })
    })
    const calls = [1, 2].map((id) =>
      rejection(Promise.resolve(execute({ id, how: 'loop', waitMs: 0 }, contextOf()))),
    )
    await keeper?.terminate()
    for (const error of await Promise.all(calls)) {
      expect(error).toMatchObject({ code: 'ERR_TOOL_CRASHED', reason: 'unresponsive' })
    }
    expect(execute.size).toBe(0)
    expect(await execute({ id: 3, waitMs: 0 }, contextOf())).toBe(3)
  })

  test('a synchronous call does not wait for ever', { timeout: 30_000 }, async () => {
    let execute!: IsolatedTool<unknown>
    const [keeper] = threadsOf(() => {
      execute = isolate('random', { min: 1 })
    })
    expect(await execute({ id: 1, waitMs: 0 }, contextOf())).toBe(1)
    void keeper?.terminate()
    const unlimited = { ...contextOf({ sync: true }), remainingMs: () => Number.POSITIVE_INFINITY }
    expect(thrown(() => execute({ id: 2, waitMs: 0 }, unlimited))).toMatchObject({ reason: 'unresponsive' })
    expect(execute({ id: 3, waitMs: 0 }, unlimited)).toBe(3)
    // Long and healthy is not lost.
    expect(execute({ id: 4, waitMs: 11_000 }, unlimited)).toBe(4)
  })
})
