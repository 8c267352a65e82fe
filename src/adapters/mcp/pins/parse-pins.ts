import { isPlainObject } from '../../../core/guards.js'
import { readJsonLines } from '../contract-file/json-lines.js'
import { safeJson } from '../safe-json.js'
import { type Definition, definitionDigest, nameOf } from './definition.js'
import { PIN_FORMAT, type Pin, type Pins, type ServerPins } from './pins.js'
import { PinsUnreadable } from './pins-unreadable.js'

/** More than the definitions of many servers. */
const MAX_CHARACTERS = 64 * 1024 * 1024

/**
 * Reads the text of a file of pins. One fault in it, and none of it counts.
 *
 * @throws {@link PinsUnreadable} saying what is wrong, and where.
 */
export function parsePins(text: string): Pins {
  if (text.length > MAX_CHARACTERS) throw new PinsUnreadable(`has more than ${MAX_CHARACTERS} characters`)
  let file: unknown
  try {
    file = JSON.parse(text)
  } catch (cause) {
    throw new PinsUnreadable('is no JSON', { cause })
  }
  const [twice] = readJsonLines(text).twice
  if (twice !== undefined) throw new PinsUnreadable(`names ${twice.path.at(-1)} twice (line ${twice.line})`)
  const { servers } = readMembers(file, 'the file', ['format', 'servers'])
  const { format } = file as { readonly format: unknown }
  if (format !== PIN_FORMAT) throw new PinsUnreadable(`is not of the format ${PIN_FORMAT}`)
  if (!isPlainObject(servers)) throw new PinsUnreadable('has no servers')
  return Object.freeze({
    servers: new Map(Object.entries(servers).map(([server, pins]) => [server, readServer(server, pins)])),
  })
}

function readServer(server: string, value: unknown): ServerPins {
  const { name, version, tools } = readMembers(value, server, ['name', 'version', 'tools'])
  if (
    typeof name !== 'string' ||
    (version !== undefined && typeof version !== 'string') ||
    !isPlainObject(tools)
  ) {
    throw new PinsUnreadable(`${server}: expected a name, a version and tools`)
  }
  return Object.freeze({
    name,
    version,
    tools: new Map(
      Object.entries(tools).map(([tool, pin]) => [tool, readPin(server, name, tool, pin)] as const),
    ),
  })
}

function readPin(server: string, calledItself: string, tool: string, value: unknown): Pin {
  const where = `${server}.${tool}`
  const { digest, definition, besides = [] } = readMembers(value, where, ['digest', 'definition', 'besides'])
  if (!Array.isArray(besides) || besides.some((other) => typeof other !== 'string')) {
    throw new PinsUnreadable(`${where}.besides: expected a list of names of servers`)
  }
  // The digest is over what is written beside it, so a change of either shows.
  if (nameOf(definition) !== tool || digest !== definitionDigest(server, calledItself, definition)) {
    throw new PinsUnreadable(`${where}: the digest is not that of the definition`)
  }
  return Object.freeze({ digest: digest as string, definition: definition as Definition, besides })
}

function readMembers(value: unknown, where: string, known: readonly string[]): Record<string, unknown> {
  if (!isPlainObject(value)) throw new PinsUnreadable(`${where}: expected an object`)
  const unknown = Object.keys(value).find((name) => !known.includes(name))
  if (unknown !== undefined) throw new PinsUnreadable(`${where}: ${unknown} is not known`)
  return { ...value }
}

/** The text of a file of pins: the same for the same pins. */
export function formatPins({ servers }: Pins): string {
  const file = {
    format: PIN_FORMAT,
    servers: byName(servers, ({ name, version, tools }) => ({
      name,
      version,
      tools: byName(tools, ({ digest, definition, besides }) => ({
        digest,
        besides: besides.length === 0 ? undefined : besides,
        definition,
      })),
    })),
  }
  return safeJson(file)
}

function byName<T>(map: ReadonlyMap<string, T>, show: (value: T) => unknown): Record<string, unknown> {
  const entries = [...map].sort(([one], [other]) => (one < other ? -1 : 1))
  return Object.fromEntries(entries.map(([name, value]) => [name, show(value)]))
}
