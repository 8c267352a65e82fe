import { setImmediate as nextTurn } from 'node:timers/promises'
import { expect, test, vi } from 'vitest'
import type { AuditSink, SealedRecord } from '../../../src/audit/sink.js'
import { type CallbackSinkOptions, callbackSink, type RecordCallback } from '../../../src/sinks/callback.js'
import { Host, record, records } from './records.js'

function opened(fn: RecordCallback, options?: CallbackSinkOptions): { sink: AuditSink; host: Host } {
  const sink = callbackSink(fn, options)
  const host = new Host()
  expect(sink.open(host)).toBeUndefined()
  return { sink, host }
}

/** A callback whose promises are settled by hand, in any order. */
function pendingCallback(): { fn: RecordCallback; settle: PromiseWithResolvers[] } {
  const settle: PromiseWithResolvers[] = []
  const fn = (): Promise<void> =>
    new Promise<void>((resolve, reject) => {
      settle.push({ resolve, reject })
    })
  return { fn, settle }
}

interface PromiseWithResolvers {
  resolve(): void
  reject(cause: unknown): void
}

async function stateOf(promise: Promise<unknown> | undefined): Promise<string> {
  if (promise === undefined) return 'nothing to wait for'
  let state = 'pending'
  promise.then(
    () => {
      state = 'resolved'
    },
    () => {
      state = 'rejected'
    },
  )
  await nextTurn()
  return state
}

test('calls the function inside append, in order, with the sealed record', () => {
  const seen: SealedRecord[] = []
  const { sink } = opened((each) => {
    seen.push(each)
  })
  const all = records(3)
  for (const each of all) {
    sink.append(each)
    expect(seen.at(-1)).toBe(each)
  }
  expect(seen).toEqual(all)
  expect(sink.flush()).toBeUndefined()
  sink.flushSync()
  expect(sink).toMatchObject({ name: 'callback', durable: false })
})

test('what the function throws, append throws, and the sink goes on', () => {
  const cause = new RangeError('no')
  const fn = vi.fn<RecordCallback>().mockImplementationOnce(() => {
    throw cause
  })
  const { sink, host } = opened(fn)
  expect(() => sink.append(record())).toThrow(cause)
  sink.append(record())
  expect(fn).toHaveBeenCalledTimes(2)
  expect(host.drops).toBe(0)
})

test('a promise that rejects is one dropped record, with its cause, and fails the next flush alone', async () => {
  const cause = new RangeError('no')
  const { sink, host } = opened(() => Promise.reject(cause))
  sink.append(record())
  await nextTurn()
  expect(host.reports).toEqual([{ count: 1, cause }])
  await expect(sink.flush()).rejects.toMatchObject({ code: 'ERR_AUDIT_UNAVAILABLE', cause })
  expect(sink.flush()).toBeUndefined()
  sink.flushSync()
})

test('flush waits for what was taken before it, and for nothing else', async () => {
  const { fn, settle } = pendingCallback()
  const { sink } = opened(fn)
  for (const each of records(2)) sink.append(each)
  const flushed = sink.flush()
  sink.append(record())
  settle[1]!.resolve()
  expect(await stateOf(flushed)).toBe('pending')
  settle[0]!.resolve()
  expect(await stateOf(flushed)).toBe('resolved')
  expect(await stateOf(sink.flush())).toBe('pending')
  settle[2]!.resolve()
  await nextTurn()
  expect(sink.flush()).toBeUndefined()
})

test('flushes that overlap all reject; none of them covers up for another', async () => {
  const { fn, settle } = pendingCallback()
  const { sink } = opened(fn)
  sink.append(record())
  const first = sink.flush()
  sink.append(record())
  const second = sink.flush()
  settle[0]!.reject('no')
  settle[1]!.resolve()
  expect(await Promise.all([stateOf(first), stateOf(second)])).toEqual(['rejected', 'rejected'])
  expect(sink.flush()).toBeUndefined()
})

test('a flush that nobody waits for any more does not become an unhandled rejection', async () => {
  const { sink, host } = opened(() => Promise.reject('no'))
  sink.append(record())
  void sink.flush()
  await nextTurn()
  expect(host.drops).toBe(1)
})

test('flushSync throws while promises are pending, and once after one has failed', async () => {
  const { fn, settle } = pendingCallback()
  const { sink } = opened(fn)
  sink.append(record())
  expect(() => sink.flushSync()).toThrow(expect.objectContaining({ code: 'ERR_AUDIT_UNAVAILABLE' }))
  settle[0]!.reject('no')
  await nextTurn()
  expect(() => sink.flushSync()).toThrow(expect.objectContaining({ cause: 'no' }))
  sink.flushSync()
})

test('at maxPending records are refused without a call, until promises settle', async () => {
  const { fn, settle } = pendingCallback()
  const spy = vi.fn(fn)
  const { sink, host } = opened(spy, { maxPending: 2 })
  for (const each of records(2)) sink.append(each)
  expect(() => sink.append(record())).toThrow(expect.objectContaining({ code: 'ERR_AUDIT_UNAVAILABLE' }))
  expect(spy).toHaveBeenCalledTimes(2)
  settle[0]!.resolve()
  await nextTurn()
  sink.append(record())
  settle[1]!.reject('no')
  await nextTurn()
  sink.append(record())
  expect(spy).toHaveBeenCalledTimes(4)
  expect(host.drops).toBe(1)
})

test('10,000 promises may be pending by default', () => {
  const { sink } = opened(() => new Promise(() => undefined))
  for (const each of records(10_000)) sink.append(each)
  expect(() => sink.append(record())).toThrow('10000 records are pending')
})

test('anything that can be awaited is waited for', async () => {
  const { fn, settle } = pendingCallback()
  // biome-ignore lint/suspicious/noThenProperty: a thenable is what this is about
  const { sink } = opened((each) => ({ then: (...handlers) => Promise.resolve(fn(each)).then(...handlers) }))
  sink.append(record())
  const flushed = sink.flush()
  expect(await stateOf(flushed)).toBe('pending')
  settle[0]!.resolve()
  await flushed
})

test('close waits for what is pending, reports failures, and takes nothing any more', async () => {
  const { fn, settle } = pendingCallback()
  const { sink, host } = opened(fn)
  for (const each of records(2)) sink.append(each)
  const closed = sink.close()
  expect(() => sink.append(record())).toThrow('not open')
  expect(await stateOf(closed)).toBe('pending')
  settle[0]!.resolve()
  settle[1]!.reject('no')
  await closed
  expect(host.reports).toEqual([{ count: 1, cause: 'no' }])
})

test('close gives up on promises that do not settle, and counts each record once', async () => {
  const { fn, settle } = pendingCallback()
  const { sink, host } = opened(fn, { closeTimeoutMs: 1 })
  for (const each of records(3)) sink.append(each)
  settle[0]!.resolve()
  await sink.close()
  expect(host.reports).toEqual([
    { count: 2, cause: expect.objectContaining({ code: 'ERR_AUDIT_UNAVAILABLE' }) },
  ])
  expect(() => sink.flushSync()).toThrow()
  settle[1]!.resolve()
  settle[2]!.reject('late')
  await nextTurn()
  expect(host.drops).toBe(2)
})

test.each([true, false])(
  'what was given up does not disturb a log that is opened later, settled (%s) or not',
  async (settles) => {
    const { fn, settle } = pendingCallback()
    const { sink } = opened(fn, { closeTimeoutMs: 1 })
    sink.append(record())
    await sink.close()
    expect(await stateOf(sink.flush())).toBe('rejected')
    if (settles) settle[0]!.resolve()
    await nextTurn()
    sink.open(new Host())
    sink.append(record())
    expect(() => sink.flushSync()).toThrow('1 records are pending')
    const flushed = sink.flush()
    settle[1]!.resolve()
    expect(await stateOf(flushed)).toBe('resolved')
  },
)

test('can be opened by one log at a time, and again after close', async () => {
  const { sink } = opened(() => undefined)
  expect(() => sink.open(new Host())).toThrow('open already')
  await sink.close()
  sink.open(new Host())
  sink.append(record())
})

test('refuses wrong arguments', () => {
  expect(() => callbackSink(undefined as never)).toThrow(TypeError)
  const bad: [object, typeof TypeError | typeof RangeError][] = [
    [{ unknown: 1 }, TypeError],
    [{ name: '' }, RangeError],
    [{ name: 'a\nb' }, RangeError],
    [{ name: 1 }, TypeError],
    [{ maxPending: -1 }, RangeError],
    [{ closeTimeoutMs: 2 ** 31 }, RangeError],
  ]
  for (const [options, error] of bad) expect(() => callbackSink(() => undefined, options)).toThrow(error)
  expect(callbackSink(() => undefined, { name: 'archive' }).name).toBe('archive')
})
