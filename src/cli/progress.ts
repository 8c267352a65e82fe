import type { CliIo } from './cli-io.js'

/** Shorter work is over before anybody has read a bar. */
const QUIET_MS = 1000
const REDRAW_MS = 100
const BAR_COLUMNS = 30
const ERASE = '\r\u001b[K'

/** How far a command is, on standard error: only on a terminal, and only when it takes a while. */
export class Progress {
  readonly #io: CliIo
  readonly #size: number | undefined
  #bytes = 0
  #drawAtMs: number
  #isDrawn = false

  constructor(io: CliIo, size: number | undefined) {
    this.#io = io
    this.#size = size
    this.#drawAtMs = io.stderr.isTty ? io.monotonicMs() + QUIET_MS : Number.POSITIVE_INFINITY
  }

  async advance(bytes: number): Promise<void> {
    this.#bytes += bytes
    const nowMs = this.#io.monotonicMs()
    if (nowMs < this.#drawAtMs) return
    this.#drawAtMs = nowMs + REDRAW_MS
    this.#isDrawn = true
    await this.#io.stderr.write(ERASE + this.#text())
  }

  async erase(): Promise<void> {
    if (this.#isDrawn) await this.#io.stderr.write(ERASE)
    this.#isDrawn = false
  }

  #text(): string {
    const done = `${Math.floor(this.#bytes / 1e6)} MB`
    if (this.#size === undefined || this.#size === 0) return done
    // A log that is being written to grows while it is read.
    const share = Math.min(1, this.#bytes / this.#size)
    const filled = Math.floor(share * BAR_COLUMNS)
    const bar = '#'.repeat(filled) + '-'.repeat(BAR_COLUMNS - filled)
    return `[${bar}] ${Math.floor(share * 100)}% of ${Math.floor(this.#size / 1e6)} MB`
  }
}
