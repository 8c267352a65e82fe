const QUOTE = 0x22
const BACKSLASH = 0x5c
const MINUS = 0x2d
const DOT = 0x2e

const ESCAPES: ReadonlyMap<string, string> = new Map([
  ['"', '"'],
  ['\\', '\\'],
  ['/', '/'],
  ['b', '\b'],
  ['f', '\f'],
  ['n', '\n'],
  ['r', '\r'],
  ['t', '\t'],
])

const FOUR_DIGITS = /^[0-9A-Fa-f]{4}$/
const WORDS: readonly string[] = ['true', 'false', 'null']

/** A text that is not JSON, or not JSON that aegrail can have written. */
export class NotJson extends SyntaxError {
  override readonly name = 'NotJson'
  /** True when nothing is wrong but that the text ends: what is left of a whole one that was cut. */
  readonly isCut: boolean

  constructor(detail: string, isCut = false) {
    super(detail)
    this.isCut = isCut
  }
}

/** A piece of JSON. */
export interface Token {
  readonly kind: 'mark' | 'string' | 'number' | 'word' | 'end'
  /** A string without its escapes; anything else as it stands, a number digit by digit. */
  readonly text: string
}

const END: Token = { kind: 'end', text: '' }

/**
 * Cuts a JSON text into tokens, in time linear in its length.
 *
 * It reads what RFC 8259 allows and nothing more: no `NaN`, no `Infinity`, no control character within a
 * string, no half of a surrogate pair. Each of these is something that aegrail's writer cannot produce.
 */
export class Lexer {
  readonly #text: string
  #at = 0

  constructor(text: string) {
    this.#text = text
  }

  /** @throws {@link NotJson} when there is no token. */
  next(): Token {
    this.#skipSpace()
    const char = this.#text[this.#at]
    if (char === undefined) return END
    if (char === '"') return { kind: 'string', text: this.#string() }
    if ('{}[],:'.includes(char)) {
      this.#at += 1
      return { kind: 'mark', text: char }
    }
    if (char === '-' || isDigit(char.charCodeAt(0))) return { kind: 'number', text: this.#number() }
    return { kind: 'word', text: this.#word() }
  }

  /** Passes over this mark if it comes next. */
  skip(mark: string): boolean {
    this.#skipSpace()
    if (this.#text[this.#at] !== mark) return false
    this.#at += 1
    return true
  }

  /** @throws {@link NotJson} when this mark does not come next. */
  expect(mark: string): void {
    if (!this.skip(mark)) throw this.fault(`no ${mark}`)
  }

  /** What is wrong at this place. */
  fault(detail: string): NotJson {
    return new NotJson(`${detail} at character ${this.#at}`, this.#at >= this.#text.length)
  }

  #code(): number {
    return this.#text.charCodeAt(this.#at)
  }

  #skipSpace(): void {
    for (let code = this.#code(); code === 0x20 || code === 0x09 || code === 0x0d; code = this.#code()) {
      this.#at += 1
    }
  }

  #string(): string {
    this.#at += 1
    let value = ''
    let start = this.#at
    let hasUnits = false
    for (;;) {
      const code = this.#code()
      if (code === QUOTE) break
      if (code === BACKSLASH) {
        value += this.#text.slice(start, this.#at)
        hasUnits ||= this.#text[this.#at + 1] === 'u'
        value += this.#escape()
        start = this.#at
      } else if (code >= 0x20) this.#at += 1
      else throw this.fault(code < 0x20 ? 'a control character' : 'a string without its end')
    }
    value += this.#text.slice(start, this.#at)
    if (hasUnits && !value.isWellFormed()) throw new NotJson('a string holds half of a surrogate pair')
    this.#at += 1
    return value
  }

  #escape(): string {
    const letter = this.#text[this.#at + 1]
    const plain = letter === undefined ? undefined : ESCAPES.get(letter)
    if (plain !== undefined) {
      this.#at += 2
      return plain
    }
    const digits = this.#text.slice(this.#at + 2, this.#at + 6)
    if (letter === 'u' && FOUR_DIGITS.test(digits)) {
      this.#at += 6
      return String.fromCharCode(Number.parseInt(digits, 16))
    }
    const isCut = letter === undefined || (letter === 'u' && this.#at + 6 > this.#text.length)
    throw new NotJson(`an unknown escape at character ${this.#at}`, isCut)
  }

  #number(): string {
    const start = this.#at
    if (this.#code() === MINUS) this.#at += 1
    const isZero = this.#text[this.#at] === '0'
    const whole = this.#digits()
    if (isZero && whole > 1) throw this.fault('a number with a leading zero')
    if (this.#code() === DOT) {
      this.#at += 1
      this.#digits()
    }
    if ((this.#code() | 0x20) === 0x65) {
      this.#at += 1
      const sign = this.#text[this.#at]
      if (sign === '+' || sign === '-') this.#at += 1
      this.#digits()
    }
    return this.#text.slice(start, this.#at)
  }

  #digits(): number {
    const start = this.#at
    while (isDigit(this.#code())) this.#at += 1
    if (this.#at === start) throw this.fault('a number without its digits')
    return this.#at - start
  }

  #word(): string {
    const word = WORDS.find((each) => this.#text.startsWith(each, this.#at))
    if (word === undefined) {
      const rest = this.#text.slice(this.#at, this.#at + 5)
      throw new NotJson(
        `no JSON at character ${this.#at}`,
        WORDS.some((each) => each.startsWith(rest)),
      )
    }
    this.#at += word.length
    return word
  }
}

function isDigit(code: number): boolean {
  return code >= 0x30 && code <= 0x39
}
