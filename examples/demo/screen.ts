import type { Session } from 'writ'
import type { Step } from './agent-loop.js'

const WIDTH = 96
const CALL = 40
const OUTCOME = 24

type Style = 'bold' | 'dim' | 'red' | 'green'
const CODES: { readonly [S in Style]: number } = { bold: 1, dim: 2, red: 31, green: 32 }

/** Plain text for a terminal or a pipe; colours only on a terminal, and not under NO_COLOR. */
export class Screen {
  readonly #write: (text: string) => void
  readonly #colours: boolean
  #turn = 0
  #remark: string | null = null

  constructor(write: (text: string) => void, colours: boolean) {
    this.#write = write
    this.#colours = colours
  }

  line(text = '', style?: Style): void {
    this.#write(`${style === undefined ? text : this.#paint(text, style)}\n`)
  }

  heading(text: string, right = ''): void {
    this.line()
    this.line(right === '' ? text : text + right.padStart(WIDTH - text.length), 'bold')
    this.line('-'.repeat(WIDTH), 'dim')
  }

  /** A name and what there is to say of it, in two columns. */
  entry(name: string, text: string): void {
    this.line(`  ${name.padEnd(12)}${text}`)
  }

  /** Text that comes from somewhere else, set off from the rest and broken between words where it is too wide. */
  quote(text: string, style: Style = 'dim'): void {
    const pieces = new RegExp(`(?=\\S).{1,${WIDTH - 4}}(?=\\s|$)|\\S+`, 'g')
    for (const line of text.trimEnd().split('\n')) {
      const indent = ' '.repeat(4 + line.search(/\S|$/))
      for (const piece of line.match(pieces) ?? ['']) this.line(`${indent}${piece}`.trimEnd(), style)
    }
  }

  columns(): void {
    this.line(
      `  turn  ${'tool call'.padEnd(CALL)}${'outcome'.padEnd(OUTCOME)}${leftColumns('usd', 'tokens', 'calls')}`,
      'dim',
    )
  }

  /** One tool call: what the model said and asked for, what came of it, and what is left of the budget. */
  step({ turn, remark, tool, args, result }: Step, session: Session): void {
    if (remark !== null && turn !== this.#turn && remark !== this.#remark) {
      if (this.#turn > 0) this.line()
      this.line(`        "${remark}"`, 'dim')
    }
    const number = turn === this.#turn ? '' : String(turn)
    this.#turn = turn
    this.#remark = remark
    const { usd = 0, tokens = 0, toolCalls = 0 } = session.remaining()
    const outcome = result.ok ? 'ran' : `REFUSED ${result.denial.reason}`
    this.line(
      [
        number.padStart(6),
        '  ',
        cut(`${tool}(${firstArgument(args)})`, CALL - 1).padEnd(CALL),
        this.#paint(outcome.padEnd(OUTCOME), result.ok ? 'green' : 'red'),
        leftColumns(dollars(usd), tokens.toLocaleString('en'), String(toolCalls)),
      ].join(''),
    )
    if (result.ok) return
    const { message, issues = [] } = result.denial
    const why = issues.map((issue) => `${issue.path.join('.')}: ${issue.message}`).join('; ')
    this.line(cut(`        with  ${args}`, WIDTH))
    this.line(cut(`        why   ${why || message.replace(/^[^:]*: /, '')}`, WIDTH))
  }

  #paint(text: string, style: Style): string {
    return this.#colours ? `\u001b[${CODES[style]}m${text}\u001b[0m` : text
  }
}

export function dollars(amount: number): string {
  return `$${amount.toFixed(4)}`
}

function leftColumns(usd: string, tokens: string, calls: string): string {
  return usd.padStart(9) + tokens.padStart(9) + calls.padStart(6)
}

function firstArgument(args: string): string {
  const [first] = Object.values(JSON.parse(args) as Record<string, unknown>)
  return first === undefined ? '' : String(first)
}

function cut(text: string, width: number): string {
  return text.length <= width ? text : `${text.slice(0, width - 3)}...`
}
