import { parseArgs } from 'node:util'
import { quote } from '../core/json-text.js'
import { suggestion } from '../core/nearest.js'
import { UsageError } from './cli-io.js'

/** An option: a switch, or one that takes a value and may be given several times. */
export type OptionKind = 'switch' | 'value' | 'values'

/** What was given: a switch as `true`, everything else as the list of its values. */
export interface Arguments {
  readonly positionals: readonly string[]
  readonly switches: ReadonlySet<string>
  readonly values: ReadonlyMap<string, readonly string[]>
}

/**
 * Reads a command line. `--` ends the options; `-` alone is a positional.
 *
 * @throws {@link UsageError} for an unknown option, a value that is missing or not wanted, or one too many.
 */
export function readArguments(
  args: readonly string[],
  known: Readonly<Record<string, OptionKind>>,
): Arguments {
  const names = Object.keys(known)
  const { tokens } = parseArgs({
    args: [...args],
    options: {
      help: { type: 'boolean', short: 'h' },
      ...Object.fromEntries(
        names.map((name) => [name, { type: known[name] === 'switch' ? 'boolean' : 'string' } as const]),
      ),
    },
    allowPositionals: true,
    // Its own messages neither suggest a name nor escape what they quote.
    strict: false,
    tokens: true,
  })
  const positionals: string[] = []
  const switches = new Set<string>()
  const values = new Map<string, string[]>()
  for (const token of tokens) {
    if (token.kind === 'positional') positionals.push(token.value)
    if (token.kind !== 'option') continue
    const { name, rawName, value } = token
    const kind = name === 'help' ? 'switch' : Object.hasOwn(known, name) ? known[name] : undefined
    if (kind === undefined) {
      throw new UsageError(`unknown option ${quote(rawName)}.${suggestion(name, ['help', ...names], '--')}`)
    }
    if (kind === 'switch') {
      if (value !== undefined) throw new UsageError(`--${name} takes no value.`)
      switches.add(name)
      continue
    }
    if (value === undefined || (!token.inlineValue && value.startsWith('-') && value !== '-')) {
      throw new UsageError(`--${name} needs a value. One that begins with - is written --${name}=-….`)
    }
    const given = values.get(name) ?? []
    if (kind === 'value' && given.length > 0) throw new UsageError(`--${name} is given twice.`)
    values.set(name, [...given, value])
  }
  return { positionals, switches, values }
}

/**
 * The one log that a command works on.
 *
 * @throws {@link UsageError} when there is none, or more than one.
 */
export function readLogPath({ positionals }: Arguments): string {
  const [path, second] = positionals
  if (path === undefined || path === '')
    throw new UsageError('which log? Name one file, or - for standard input.')
  if (second !== undefined) throw new UsageError(`one log at a time; ${quote(second)} is one too many.`)
  return path
}
