import { Writable } from 'node:stream'
import { setImmediate as nextTurn } from 'node:timers/promises'
import { afterEach, beforeEach, expect, test, vi } from 'vitest'
import type { AuditSink } from '../../../src/audit/sink.js'
import { systemClock } from '../../../src/core/clock.js'
import { stdoutSink } from '../../../src/sinks/stdout.js'
import { ManualClock } from './manual-clock.js'
import { Host, record, records } from './records.js'

// The time that close waits for a reader, in the hands of the test.
vi.mock('../../../src/core/clock.js', async (original) => ({
  ...(await original<object>()),
  systemClock: { nowMs: vi.fn(), monotonicMs: vi.fn(), setTimer: vi.fn(), clearTimer: vi.fn() },
}))
const clock = new ManualClock()
vi.mocked(systemClock.clearTimer).mockImplementation((handle) => clock.clearTimer(handle))
vi.mocked(systemClock.setTimer).mockImplementation((callback, delayMs, background) =>
  delayMs === 0 ? setTimeout(callback) : clock.setTimer(callback, delayMs, background),
)

/** A standard output whose reader takes one write at a time, when it is told to. */
class SlowStream extends Writable {
  readonly taken: string[] = []
  readonly #waiting: { text: string; done: (error?: Error) => void }[] = []

  override _write(chunk: Buffer, _encoding: string, done: (error?: Error | null) => void): void {
    this.#waiting.push({ text: chunk.toString(), done })
  }

  async take(): Promise<void> {
    for (let next = this.#waiting.shift(); next !== undefined; next = this.#waiting.shift()) {
      this.taken.push(next.text)
      next.done()
      await nextTurn()
    }
  }

  fail(error: Error): void {
    this.#waiting.shift()?.done(error)
  }
}

let stream: SlowStream
let host: Host
const real = Object.getOwnPropertyDescriptor(process, 'stdout') as PropertyDescriptor

function opened(stdout: unknown = stream): AuditSink {
  Object.defineProperty(process, 'stdout', { ...real, get: () => stdout })
  try {
    const sink = stdoutSink()
    expect(sink.open(host)).toBeUndefined()
    return sink
  } finally {
    Object.defineProperty(process, 'stdout', real)
  }
}

beforeEach(() => {
  stream = new SlowStream()
  host = new Host()
})
afterEach(() => {
  Object.defineProperty(process, 'stdout', real)
})

test('writes every line with its LF, and flush resolves when the stream has taken it', async () => {
  const sink = opened()
  const all = records(3)
  for (const each of all) sink.append(each)
  let flushed = false
  const flush = sink.flush()?.then(() => {
    flushed = true
  })
  await nextTurn()
  expect(flushed).toBe(false)
  expect(() => sink.flushSync()).toThrow(expect.objectContaining({ code: 'ERR_AUDIT_UNAVAILABLE' }))
  await stream.take()
  await flush
  expect(stream.taken.join('')).toBe(all.map(({ line }) => `${line}\n`).join(''))
  expect(sink.flush()).toBeUndefined()
  sink.flushSync()
  expect(sink).toMatchObject({ name: 'stdout', durable: false })
  expect(host.reports).toEqual([])
})

test('more than 8 MiB are not queued: the record is refused, and taken when there is room again', async () => {
  const sink = opened()
  const [each] = records(1, `{"task":"${'x'.repeat(60_000)}"}`)
  const size = each!.line.length + 1
  const fit = Math.floor((8 * 1024 * 1024) / size)
  for (let count = 0; count < fit; count++) sink.append(each!)
  expect(stream.writableLength).toBe(fit * size)
  expect(() => sink.append(each!)).toThrow(expect.objectContaining({ code: 'ERR_AUDIT_UNAVAILABLE' }))
  expect(stream.writableLength).toBe(fit * size)
  await stream.take()
  sink.append(each!)
  expect(host.drops).toBe(0)
})

test('an error of the stream drops what it held, once, and refuses everything after it', async () => {
  const sink = opened()
  for (const each of records(3)) sink.append(each)
  const flushed = sink.flush()
  const cause = Object.assign(new RangeError('write EPIPE'), { code: 'EPIPE' })
  stream.fail(cause)
  await expect(flushed).rejects.toMatchObject({ code: 'ERR_AUDIT_UNAVAILABLE', cause })
  await nextTurn()
  expect(host.reports).toEqual([{ count: 3, cause: expect.objectContaining({ cause }) }])
  expect(() => sink.append(record())).toThrow(expect.objectContaining({ cause }))
  expect(() => sink.flushSync()).toThrow(expect.objectContaining({ cause }))
  await expect(sink.flush()).rejects.toMatchObject({ cause })
  await sink.close()
  expect(host.drops).toBe(3)
})

test('what the stream took before its error is not counted', async () => {
  const sink = opened()
  for (const each of records(2)) sink.append(each)
  await stream.take()
  sink.append(record())
  stream.fail(new RangeError('write EPIPE'))
  expect(host.reports).toMatchObject([{ count: 1 }])
})

test('knows of a failure before the stream has told anybody', async () => {
  const broken = new Writable({ write: (_chunk, _encoding, done) => done(new RangeError('write EPIPE')) })
  const sink = opened(broken)
  sink.append(record())
  expect(host.drops).toBe(0)
  expect(() => sink.flushSync()).toThrow('stdout: the stream failed')
  expect(() => sink.append(record())).toThrow('stdout: the stream failed')
  expect(host.drops).toBe(1)
  await expect(sink.flush()).rejects.toThrow('stdout: the stream failed')
})

test('a flush that nobody waits for any more does not become an unhandled rejection', async () => {
  const sink = opened()
  sink.append(record())
  void sink.flush()
  stream.fail(new RangeError('write EPIPE'))
  await nextTurn()
  expect(host.drops).toBe(1)
})

test('an error event reaches no uncaught exception, even when it follows close', async () => {
  const sink = opened()
  sink.append(record())
  const closed = sink.close()
  stream.fail(new RangeError('write EPIPE'))
  await closed
  expect(stream.listenerCount('error')).toBe(0)
  expect(host.drops).toBe(1)
})

test('an error of somebody else’s write refuses records too', async () => {
  const sink = opened()
  stream.emit('error', new RangeError('write EPIPE'))
  expect(() => sink.append(record())).toThrow('stdout: the stream failed')
  expect(host.reports).toEqual([])
})

test('close waits for the stream, takes its listener back and does not end the stream', async () => {
  const sink = opened()
  expect(stream.listenerCount('error')).toBe(1)
  sink.append(record())
  const closed = sink.close()
  expect(() => sink.append(record())).toThrow('not open')
  await stream.take()
  await closed
  expect(stream.taken.join('')).toBe(`${record().line}\n`)
  expect(stream.listenerCount('error')).toBe(0)
  expect(stream.writable).toBe(true)
  expect(host.drops).toBe(0)
})

test('close gives up on a reader that takes nothing', async () => {
  const sink = opened()
  for (const each of records(3)) sink.append(each)
  const closed = sink.close()
  expect((await clock.timer(5_000)).background).toBe(false)
  clock.advance(5_000)
  await closed
  expect(host.reports).toEqual([
    { count: 3, cause: expect.objectContaining({ code: 'ERR_AUDIT_UNAVAILABLE' }) },
  ])
  const flushed = sink.flush()
  await stream.take()
  await expect(flushed).rejects.toMatchObject({ code: 'ERR_AUDIT_UNAVAILABLE' })
  expect(stream.listenerCount('error')).toBe(1)
  sink.open(host)
  expect(() => sink.append(record())).toThrow('did not take all')
})

test('an error that follows such a close is caught, and counts nothing again', async () => {
  const sink = opened()
  sink.append(record())
  const closed = sink.close()
  await clock.timer(5_000)
  clock.advance(5_000)
  await closed
  stream.fail(new RangeError('write EPIPE'))
  await nextTurn()
  expect(host.drops).toBe(1)
})

test('a write that somebody has replaced, and that acknowledges nothing, hangs neither flush nor close', async () => {
  const written: string[] = []
  stream.write = ((text: string) => written.push(text) > 0) as never
  const sink = opened()
  sink.append(record())
  expect(sink.flush()).toBeUndefined()
  await sink.close()
  expect(written).toEqual([`${record().line}\n`])
})

test('can be opened by one log at a time, and again after close', async () => {
  const sink = opened()
  expect(() => sink.open(new Host())).toThrow('open already')
  await sink.close()
  sink.open(host)
  sink.append(record())
})

test('refuses records before open, and a stream that has ended', () => {
  Object.defineProperty(process, 'stdout', { ...real, get: () => stream })
  const sink = stdoutSink()
  expect(() => sink.append(record())).toThrow('not open')
  stream.end()
  expect(() => sink.open(host)).toThrow(expect.objectContaining({ code: 'ERR_AUDIT_UNAVAILABLE' }))
})

test.each([
  ['no standard output', () => Object.defineProperty(process, 'stdout', { ...real, get: () => undefined })],
  ['no process', () => vi.stubGlobal('process', undefined)],
])('says so where there is %s', (_, arrange) => {
  arrange()
  let thrown: unknown
  try {
    stdoutSink()
  } catch (error) {
    thrown = error
  } finally {
    vi.unstubAllGlobals()
  }
  expect(thrown).toMatchObject({ code: 'ERR_RUNTIME_UNSUPPORTED' })
})
