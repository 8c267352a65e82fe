import { Lexer, NotJson, type Token } from './lexer.js'
import { pythonNumber } from './number.js'

/** Python itself writes nothing that is nested deeper. */
export const MAX_DEPTH = 1000

/** Members of an object: their names, each with its value as Python's `json.dumps` prints it. */
export type Members = ReadonlyMap<string, string>

/**
 * Reads a JSON object and prints the value of each member as Python's
 * `json.dumps(value, sort_keys=True, separators=(",", ":"))` does.
 *
 * No tree is built: a value is printed as soon as it ends, from the inside out. Nothing recurses.
 *
 * @throws {@link NotJson} when `json` is no object, is nested deeper than 1000 levels, names a member twice,
 * or holds what Python cannot have written.
 */
export function canonicalMembers(json: string): Members {
  const lexer = new Lexer(json)
  lexer.expect('{')
  const root = new ObjectText()
  const open: Container[] = [root]
  let container: Container | undefined = root
  let isComplete = endsHere(lexer, root)
  while (container !== undefined) {
    if (isComplete) {
      open.pop()
      const outer: Container | undefined = open.at(-1)
      outer?.add(container.text())
      container = outer
    } else {
      const token = lexer.next()
      const inner = containerOf(token)
      if (inner !== undefined) {
        if (open.length === MAX_DEPTH) throw new NotJson(`nested deeper than ${MAX_DEPTH} levels`)
        open.push(inner)
        container = inner
        isComplete = endsHere(lexer, inner)
        continue
      }
      container.add(scalar(token, lexer))
    }
    isComplete = container !== undefined && !hasMore(lexer, container)
  }
  if (lexer.next().kind !== 'end') throw new NotJson('something follows the object')
  return root.members
}

/** Members as one object, in the order of the names given. */
export function joinMembers(members: Members, names: readonly string[]): string {
  return `{${names.map((name) => `${pythonString(name)}:${members.get(name) ?? 'null'}`).join(',')}}`
}

interface Container {
  readonly end: string
  /** Reads what stands before a value. */
  begin(lexer: Lexer): void
  add(value: string): void
  text(): string
}

class ArrayText implements Container {
  readonly end = ']'
  #text = ''

  begin(): void {
    this.#text += this.#text === '' ? '[' : ','
  }

  add(value: string): void {
    this.#text += value
  }

  text(): string {
    return this.#text === '' ? '[]' : `${this.#text}]`
  }
}

class ObjectText implements Container {
  readonly end = '}'
  readonly members: Map<string, string> = new Map()
  #name = ''

  begin(lexer: Lexer): void {
    const { kind, text } = lexer.next()
    if (kind !== 'string') throw lexer.fault('a member without a name')
    if (this.members.has(text)) throw new NotJson('a member stands twice in one object')
    lexer.expect(':')
    this.#name = text
  }

  add(value: string): void {
    this.members.set(this.#name, value)
  }

  text(): string {
    return joinMembers(this.members, [...this.members.keys()].sort(compareCodePoints))
  }
}

function containerOf({ kind, text }: Token): Container | undefined {
  if (kind !== 'mark') return undefined
  if (text === '{') return new ObjectText()
  return text === '[' ? new ArrayText() : undefined
}

/** True when a container that just began is empty; otherwise its first value comes next. */
function endsHere(lexer: Lexer, container: Container): boolean {
  if (lexer.skip(container.end)) return true
  container.begin(lexer)
  return false
}

/** True when another value comes next; otherwise the container has ended. */
function hasMore(lexer: Lexer, container: Container): boolean {
  if (lexer.skip(',')) {
    container.begin(lexer)
    return true
  }
  lexer.expect(container.end)
  return false
}

function scalar({ kind, text }: Token, lexer: Lexer): string {
  if (kind === 'string') return pythonString(text)
  if (kind === 'number') return pythonNumber(text)
  if (kind === 'word') return text
  throw lexer.fault('no value')
}

const NOT_PLAIN = /["\\]|[^ -~]/
const EACH_NOT_PLAIN = /["\\]|[^ -~]/g
const SHORT_FORMS: ReadonlyMap<string, string> = new Map([
  ['"', '\\"'],
  ['\\', '\\\\'],
  ['\n', '\\n'],
  ['\r', '\\r'],
  ['\t', '\\t'],
  ['\b', '\\b'],
  ['\f', '\\f'],
])

/** A string as Python prints it with `ensure_ascii`: two escapes for a character above U+FFFF. */
export function pythonString(text: string): string {
  return NOT_PLAIN.test(text) ? `"${text.replace(EACH_NOT_PLAIN, escapeUnit)}"` : `"${text}"`
}

function escapeUnit(unit: string): string {
  return SHORT_FORMS.get(unit) ?? `\\u${unit.charCodeAt(0).toString(16).padStart(4, '0')}`
}

/**
 * The order of Python's strings, which is that of their code points. JavaScript's own goes by UTF-16 units
 * and puts what is above U+FFFF before U+E000.
 */
export function compareCodePoints(a: string, b: string): number {
  const length = Math.min(a.length, b.length)
  for (let index = 0; index < length; index++) {
    const left = a.charCodeAt(index)
    const right = b.charCodeAt(index)
    if (left !== right) return rank(left) - rank(right)
  }
  return a.length - b.length
}

/** Surrogates go after every other unit. */
function rank(unit: number): number {
  return unit >= 0xd800 && unit <= 0xdfff ? unit + 0x10000 : unit
}
