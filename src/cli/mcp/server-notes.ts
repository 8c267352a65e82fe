import type { CliIo } from '../cli-io.js'
import { safeText } from '../safe-text.js'
import type { LeftBy } from './relay.js'

/** After so many faults of one side, the rest is only counted: a log of a desktop client is no place for all. */
const MAX_NOTES = 50

/** What the proxy has to say on standard error, and what its server says there. */
export class ServerNotes {
  readonly #server: string
  readonly #io: CliIo
  #notes = 0

  constructor(server: string, io: CliIo) {
    this.#server = server
    this.#io = io
  }

  /** A fault of one side: a message that is none, a stream that broke. */
  say(of: LeftBy, error: Error): void {
    this.#notes += 1
    if (this.#notes > MAX_NOTES) return
    const rest = this.#notes === MAX_NOTES ? ' (no more of these are shown)' : ''
    const who = of === 'client' ? 'the client' : `the server ${this.#server}`
    void this.write(`${who}: ${safeText(error.message)}${rest}`)
  }

  /** A line that the server wrote on its standard error, already safe to show. */
  words(line: string): void {
    this.#io.stderr.write(`${this.#server}| ${line}\n`).catch(() => undefined)
  }

  async write(text: string): Promise<void> {
    // Nobody may be reading; the log is where things are recorded.
    await this.#io.stderr.write(`writ mcp: ${text}\n`).catch(() => undefined)
  }
}
