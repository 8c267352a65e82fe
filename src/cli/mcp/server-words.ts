import { safeText } from '../safe-text.js'

/** Most characters of a line that are passed on. */
const MAX_LINE = 4096
const LF = '\n'

/** What a server writes on standard error, line by line, of bounded length and safe to show. */
export class ServerWords {
  readonly #take: (line: string) => void
  readonly #decoder = new TextDecoder()
  #line = ''
  #dropped = 0

  constructor(take: (line: string) => void) {
    this.#take = take
  }

  push(chunk: Uint8Array): void {
    const pieces = this.#decoder.decode(chunk, { stream: true }).split(LF)
    const last = pieces.pop() ?? ''
    for (const piece of pieces) {
      this.#add(piece)
      this.#flush()
    }
    this.#add(last)
  }

  /** Passes on a line that has no end. */
  end(): void {
    if (this.#line !== '') this.#flush()
  }

  #add(text: string): void {
    const kept = text.slice(0, MAX_LINE - this.#line.length)
    this.#line += kept
    this.#dropped += text.length - kept.length
  }

  #flush(): void {
    const rest = this.#dropped === 0 ? '' : ` … ${this.#dropped} more characters`
    this.#take(safeText(this.#line.replace(/\r$/, '')) + rest)
    this.#line = ''
    this.#dropped = 0
  }
}
