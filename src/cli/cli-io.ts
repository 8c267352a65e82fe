/** Where a command writes to. */
export interface Output {
  readonly isTty: boolean
  /** Width of the terminal; of no meaning where there is none. */
  readonly columns: number
  /** Resolves when the next write is welcome; rejects with {@link OutputClosed}. */
  write(data: string | Uint8Array): Promise<void>
}

/** The bytes of a log, in pieces cut anywhere. Iterating rejects with {@link LogUnreadable}. */
export interface LogBytes extends AsyncIterable<Uint8Array> {
  /** How many there are, where that is known beforehand. */
  readonly size: number | undefined
}

/** Everything a command has of the world. */
export interface CliIo {
  readonly stdout: Output
  readonly stderr: Output
  /** False when the user does not want colours, wherever the output goes. */
  readonly mayColor: boolean
  /** Milliseconds since the Unix epoch. */
  nowMs(): number
  /** Milliseconds since an arbitrary start, never decreasing. */
  monotonicMs(): number
  /** @throws {@link LogUnreadable} when it cannot be opened; `-` is standard input. */
  readLog(path: string): LogBytes
}

/** Exit statuses beside those of the verdicts, after BSD's sysexits. */
export const EXIT: {
  readonly ok: 0
  readonly usage: 64
  readonly noInput: 66
  readonly internal: 70
  readonly output: 74
} = Object.freeze({ ok: 0, usage: 64, noInput: 66, internal: 70, output: 74 })

/** The command line asks for something that does not exist. */
export class UsageError extends Error {
  override readonly name = 'UsageError'
}

/** The log cannot be read. */
export class LogUnreadable extends Error {
  override readonly name = 'LogUnreadable'
}

/** What the command says cannot be written. */
export class OutputClosed extends Error {
  override readonly name = 'OutputClosed'
  /** True when whoever was reading has gone away, which is no error of anybody. */
  readonly readerLeft: boolean

  constructor(cause: NodeJS.ErrnoException) {
    super(`cannot write: ${cause.message}`, { cause })
    this.readerLeft = cause.code === 'EPIPE'
  }
}
