/** A member of an object that is there twice. */
export interface TwiceNamed {
  readonly path: readonly string[]
  readonly line: number
}

/** What `JSON.parse` does not say about a JSON text. */
export interface JsonLines {
  /** The line, counted from 1, on which the value at a place begins. */
  lineOf(path: readonly string[]): number | undefined
  readonly twice: readonly TwiceNamed[]
}

interface Open {
  readonly path: readonly string[]
  readonly names: Set<string> | undefined
  /** The name of the next value of an object; `undefined` before a name. */
  name: string | undefined
  index: number
}

const TOKEN = /"(?:[^"\\]|\\.)*"|[{}[\],:]|[^\s{}[\],:"]+|\n/g

/**
 * Where things are in a text that `JSON.parse` has accepted, and what is named twice in it: of two members of
 * one name it keeps the last, and a reader sees the first.
 */
export function readJsonLines(text: string): JsonLines {
  const lines = new Map<string, number>()
  const twice: TwiceNamed[] = []
  const open: Open[] = []
  let line = 1
  const here = (): readonly string[] => {
    const top = open.at(-1)
    if (top === undefined) return []
    return [...top.path, top.names === undefined ? String(top.index) : (top.name ?? '')]
  }
  for (const [token] of text.matchAll(TOKEN)) {
    const top = open.at(-1)
    if (token === '\n') line++
    else if (token === '}' || token === ']') open.pop()
    else if (token === ':') continue
    else if (token === ',' && top !== undefined) {
      top.index++
      top.name = undefined
    } else if (top?.names !== undefined && top.name === undefined) {
      const name = JSON.parse(token) as string
      top.name = name
      if (top.names.has(name)) twice.push({ path: here(), line })
      top.names.add(name)
      lines.set(keyOf(here()), line)
    } else {
      const path = here()
      if (!lines.has(keyOf(path))) lines.set(keyOf(path), line)
      if (token === '{') open.push({ path, names: new Set(), name: undefined, index: 0 })
      if (token === '[') open.push({ path, names: undefined, name: undefined, index: 0 })
    }
  }
  return { lineOf: (path) => lines.get(keyOf(path)), twice }
}

const keyOf = (path: readonly string[]): string => JSON.stringify(path)
