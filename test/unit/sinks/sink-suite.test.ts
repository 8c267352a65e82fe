import { expect, test } from 'vitest'
import type { SinkUnderTest } from '../../../src/testing/sink-bench.js'
import { type SinkCase, sinkSuite } from '../../../src/testing/sink-suite.js'
import { FLAWS, Lazy, Plain } from './flawed-sinks.js'

const suiteFor = (make: () => Plain): readonly SinkCase[] =>
  sinkSuite((): SinkUnderTest => {
    const sink = make()
    return { sink, lines: () => sink.stored, reopen: () => sink }
  })

async function errorOf(run: () => Promise<void>): Promise<Error | undefined> {
  return run().then(
    () => undefined,
    (error: Error) => error,
  )
}

test.each([
  ['at once', () => new Plain()],
  ['when it has to', () => new Lazy()],
])('a sink that stores %s passes', async (_, make) => {
  for (const { name, run } of suiteFor(make)) expect(await errorOf(run), name).toBeUndefined()
})

test.each(FLAWS)('finds a sink that %s', async (_, make, found, said) => {
  const cases = suiteFor(make).filter(({ name }) => name.startsWith(found))
  expect(cases).toHaveLength(1)
  expect((await errorOf(cases[0]!.run))?.message).toContain(said)
})

test('every case finds something', () => {
  const found = FLAWS.map(([, , name]) => name)
  for (const { name } of suiteFor(() => new Plain()))
    expect(found.some((start) => name.startsWith(start))).toBe(true)
})

test('says what is wrong in an error that runners know how to show', async () => {
  const [first] = suiteFor(() => Object.assign(new Plain(), { name: '' }))
  expect(await errorOf(first!.run)).toMatchObject({
    name: 'AssertionError',
    message: 'name must be a non-empty string',
  })
})

test('a line that differs is shown in part', async () => {
  const make = (): Plain =>
    Object.assign(new Plain(), { store: () => undefined, stored: ['x'.repeat(60_000)] })
  const longest = suiteFor(make).find(({ name }) => name.startsWith('takes the longest'))
  const { message } = (await errorOf(longest!.run)) as Error
  expect(message).toContain('line 0 is "xxx')
  expect(message.length).toBeLessThan(1_000)
})

test.each([
  ['passes', undefined],
  ['fails', 'x'],
])('closes the sink and cleans up when a case %s', async (_, extra) => {
  const sink = new Plain()
  const events: string[] = []
  const { close } = Plain.prototype
  sink.close = () => {
    events.push('close')
    return close.call(sink)
  }
  const cleanup = (): void => void events.push('cleanup')
  const lines = (): string[] => (extra === undefined ? sink.stored : [extra])
  const flush = sinkSuite(() => ({ sink, lines, cleanup })).find(({ name }) => name.startsWith('a flush'))
  const error = await errorOf(flush!.run)
  expect(error === undefined).toBe(extra === undefined)
  expect(events).toEqual(['close', 'cleanup'])
})

test('what goes wrong on the way out does not hide what went wrong before', async () => {
  const make = (): Plain =>
    Object.assign(new Lazy(), { flush: () => undefined, close: () => Promise.reject('later') })
  const flush = suiteFor(make).find(({ name }) => name.startsWith('a flush'))
  expect((await errorOf(flush!.run))?.message).toContain('after flush')
})
