/** Where a command writes to. */
export interface Output {
  readonly isTty: boolean
  /** Width of the terminal; of no meaning where there is none. */
  readonly columns: number
  /** Resolves when the next write is welcome; rejects with {@link OutputClosed}. */
  write(data: string | Uint8Array): Promise<void>
  /** Gives up what nobody has read yet, so that the program can end. */
  drop?(): void
}

/**
 * The bytes of a log, in pieces cut anywhere. A piece is valid until the second one after it is asked for.
 * Iterating rejects with {@link LogUnreadable}.
 */
export interface LogBytes extends AsyncIterable<Uint8Array> {
  /** How many there are, where that is known beforehand. */
  readonly size: number | undefined
}

/** The bytes of standard input, as they come, until somebody has had enough. */
export interface Input extends AsyncIterable<Uint8Array> {
  /** Reads no more: iterating ends, and the program waits for nothing on it. */
  close(): void
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
  /**
   * The end of a file that is small, or of which only the end matters: at most `maxBytes` of it. `undefined`
   * when there is no such file.
   *
   * @throws {@link LogUnreadable} when it is there and cannot be read.
   */
  readEnd(path: string, maxBytes: number): Uint8Array | undefined
  /** Names in a folder, sorted; `undefined` when there is no folder of that name. */
  listFolder(path: string): readonly string[] | undefined
  /**
   * Makes a file that is not there yet, readable by its owner alone where it is `secret`.
   *
   * @throws {@link FileNotMade} when there is something of that name, or it cannot be written.
   */
  makeFile(path: string, data: string | Uint8Array, secret?: boolean): void
  /** Environment variables. */
  readonly env: Readonly<Record<string, string | undefined>>
  /** Standard input, as a stream that has no end of its own. */
  openInput(): Input
  /** Calls `stop` when the program is told to end; once, and instead of ending at once. */
  onStop(stop: () => void): void
}

/** Exit statuses beside those of the verdicts, after BSD's sysexits. */
export const EXIT: {
  readonly ok: 0
  readonly usage: 64
  readonly noProof: 65
  readonly noInput: 66
  readonly noServer: 69
  readonly internal: 70
  readonly cannotMake: 73
  readonly output: 74
  readonly contract: 78
} = Object.freeze({
  ok: 0,
  usage: 64,
  noProof: 65,
  noInput: 66,
  noServer: 69,
  internal: 70,
  cannotMake: 73,
  output: 74,
  contract: 78,
})

/** The command line asks for something that does not exist. */
export class UsageError extends Error {
  override readonly name = 'UsageError'
}

/** A command could not do what it was asked to, and has said why; `status` is its exit status. */
export class CommandFailed extends Error {
  override readonly name = 'CommandFailed'
  readonly status: number

  constructor(status: number, message: string, options?: ErrorOptions) {
    super(message, options)
    this.status = status
  }
}

/** The log cannot be read. */
export class LogUnreadable extends Error {
  override readonly name = 'LogUnreadable'
}

/** What was to be proven cannot be. */
export class NotProven extends Error {
  override readonly name = 'NotProven'
}

/** A file that a command was to make. */
export class FileNotMade extends Error {
  override readonly name = 'FileNotMade'
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
