import type { AuditSink, SealedRecord, SinkHost } from '../audit/sink.js'
import { systemClock } from '../core/clock.js'
import { AuditUnavailable, RuntimeUnsupported } from '../core/errors.js'
import { utf8Length } from '../core/utf8.js'
import { settlesWithin } from './settles-within.js'

/** Bytes that may wait in the stream for a reader that is slower than the agent. */
const MAX_QUEUED_BYTES = 8 * 1024 * 1024
const CLOSE_TIMEOUT_MS = 5_000

/** What is used of `process.stdout`. */
interface Stdout {
  readonly writable: boolean
  readonly writableLength: number
  /** The error that broke the stream, known before its `error` event. */
  readonly errored?: Error | null
  write(text: string, done: (error?: Error | null) => void): boolean
  on(event: 'error', listener: (error: Error) => void): unknown
  removeListener(event: 'error', listener: (error: Error) => void): unknown
}

/**
 * Writes every line to the standard output of the process.
 *
 * `flush` resolves when the operating system has taken the lines; what the reader does with them is not
 * known. When more than 8 MiB wait for the reader, further records are refused. An error of the stream (a
 * reader that went away) is final. The stream itself is never ended. Node writes to files, and on POSIX to
 * pipes, synchronously: there a reader that stalls stalls the process. Whatever else writes to standard
 * output stands between the lines, and a verifier will refuse it.
 *
 * @throws {@link RuntimeUnsupported} (ERR_RUNTIME_UNSUPPORTED) where there is no `process.stdout`.
 */
export function stdoutSink(): AuditSink {
  const stream = (globalThis as { process?: { stdout?: Stdout } }).process?.stdout
  if (stream === undefined) throw new RuntimeUnsupported('AuditSink.stdout', 'process.stdout')
  return new StdoutSink(stream)
}

class StdoutSink implements AuditSink {
  readonly name = 'stdout'
  readonly durable = false
  readonly #stream: Stdout
  #host: SinkHost | undefined
  #isOpen = false
  /** Lines given to the stream and not yet acknowledged by it. */
  #pending = 0
  #failure: AuditUnavailable | undefined

  constructor(stream: Stdout) {
    this.#stream = stream
  }

  open(host: SinkHost): undefined {
    if (this.#isOpen) throw new AuditUnavailable('stdout: the sink is open already')
    if (!this.#stream.writable) throw new AuditUnavailable('stdout: the stream is not writable')
    this.#isOpen = true
    this.#host = host
    // Without a listener, a reader that goes away would end the process with an uncaught exception.
    this.#stream.on('error', this.#onError)
  }

  append(record: SealedRecord): void {
    if (!this.#isOpen) throw new AuditUnavailable('stdout: the sink is not open')
    const fault = this.#fault()
    if (fault !== undefined) throw fault
    const queued = this.#stream.writableLength
    if (queued > 0 && queued + utf8Length(record.line) >= MAX_QUEUED_BYTES) {
      throw new AuditUnavailable(`stdout: ${queued} bytes wait for the reader already`)
    }
    this.#pending += 1
    this.#stream.write(`${record.line}\n`, (error) => {
      if (error) this.#onError(error)
      else this.#pending -= 1
    })
  }

  flush(): Promise<void> | undefined {
    const fault = this.#fault()
    if (fault === undefined && this.#stream.writableLength === 0) return undefined
    const flushed = new Promise<void>((resolve, reject) => {
      if (fault !== undefined) return reject(fault)
      // An empty write is acknowledged after everything before it.
      this.#stream.write('', (error) => {
        if (error) reject(this.#onError(error))
        else resolve()
      })
    })
    // The host has heard of the failure: somebody who stopped waiting must not make it an unhandled rejection.
    flushed.catch(() => undefined)
    return flushed
  }

  flushSync(): void {
    const fault = this.#fault()
    if (fault !== undefined) throw fault
    const queued = this.#stream.writableLength
    if (queued > 0) throw new AuditUnavailable(`stdout: ${queued} bytes wait for the reader`)
  }

  async drain(): Promise<void> {
    const flushed = this.flush()
    if (flushed === undefined || (await settlesWithin(flushed, CLOSE_TIMEOUT_MS, systemClock))) return
    this.#fail(new AuditUnavailable(`stdout: the reader did not take all within ${CLOSE_TIMEOUT_MS} ms`))
  }

  async close(): Promise<void> {
    this.#isOpen = false
    await this.drain()
    // The stream says that a write failed first to its callback and only then in an `error` event.
    await new Promise<void>((resolve) => systemClock.setTimer(resolve, 0, false))
    // Lines that are still in the stream may fail yet, with nobody else to hear of it.
    if (this.#stream.writableLength === 0) this.#stream.removeListener('error', this.#onError)
  }

  #fault(): AuditUnavailable | undefined {
    return this.#stream.errored ? this.#onError(this.#stream.errored) : this.#failure
  }

  readonly #onError = (cause: Error): AuditUnavailable =>
    this.#fail(new AuditUnavailable('stdout: the stream failed', { cause }))

  #fail(failure: AuditUnavailable): AuditUnavailable {
    if (this.#failure === undefined) {
      this.#failure = failure
      if (this.#pending > 0) this.#host?.dropped(this.#pending, failure)
    }
    return this.#failure
  }
}
