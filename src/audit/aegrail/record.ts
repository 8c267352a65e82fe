import { sha256Hex } from '../../core/digest.js'
import { canonicalMembers, joinMembers, type Members, pythonString } from './canonical.js'
import { NotJson } from './lexer.js'

/** How the canonical text of each hashed member begins, in the order in which they are hashed. */
const HASHED: readonly (readonly [name: string, begins: string])[] = [
  ['agent_identity', '"'],
  ['budget', '{'],
  ['event', '"'],
  ['invoking_user', 'n"'],
  ['payload', '{'],
  ['prev_hash', 'n"'],
  ['principal', '"'],
  ['session_id', '"'],
  ['ts', '"'],
]
const HASHED_NAMES: readonly string[] = HASHED.map(([name]) => name)
const HASH_NAME = 'event_hash'

/** A byte order mark is a character like others, and none that JSON begins with. */
const STRICT = { fatal: true, ignoreBOM: true } as const
const decoder = new TextDecoder('utf-8', STRICT)

/** What a line turned out to be: a record that holds, or what keeps it from being one. */
export type Reading =
  | { readonly hash: string }
  | {
      readonly fault: string
      /** True when it is the beginning of a record and nothing else is wrong with it. */
      readonly isCut: boolean
    }

/**
 * Reads one line and checks it against the record before it.
 *
 * @param previous the recomputed hash of the record before; `undefined` for the first.
 */
export function readRecord(line: Uint8Array, previous: string | undefined): Reading {
  let members: Members
  try {
    members = readMembers(line)
  } catch (error) {
    if (!(error instanceof NotJson)) throw error
    const fault = error.isCut ? 'it is cut: the record does not end' : `not JSON of aegrail: ${error.message}`
    return { fault, isCut: error.isCut }
  }
  const fault = shapeFault(members) ?? linkFault(members, previous)
  if (fault !== undefined) return { fault, isCut: false }
  const hash = sha256Hex(joinMembers(members, HASHED_NAMES))
  if (members.get(HASH_NAME) === `"${hash}"`) return { hash }
  return { fault: 'its event_hash does not match its members', isCut: false }
}

function readMembers(line: Uint8Array): Members {
  let text: string
  try {
    text = decoder.decode(line)
  } catch {
    canonicalMembers(decodeCut(line))
    throw new NotJson('the bytes after the object are not UTF-8')
  }
  return canonicalMembers(text)
}

/** The text of a line that may have been cut within a character. */
function decodeCut(line: Uint8Array): string {
  try {
    return new TextDecoder('utf-8', STRICT).decode(line, { stream: true })
  } catch {
    throw new NotJson('not UTF-8')
  }
}

function shapeFault(members: Members): string | undefined {
  for (const [name, begins] of HASHED) {
    const value = members.get(name)
    if (value === undefined) return `it has no member ${name}`
    if (!begins.includes(value.charAt(0))) return `its ${name} is of the wrong kind`
  }
  if (!members.has(HASH_NAME)) return `it has no member ${HASH_NAME}`
  // aegrail ignores what it does not know, so its hash says nothing of it.
  const unknown = [...members.keys()].find((name) => name !== HASH_NAME && !HASHED_NAMES.includes(name))
  return unknown === undefined ? undefined : `it has a member that no hash covers: ${excerpt(unknown)}`
}

function linkFault(members: Members, previous: string | undefined): string | undefined {
  const link = members.get('prev_hash')
  if (previous === undefined) {
    return link === 'null' ? undefined : 'it is not the first record of a chain: its prev_hash is not null'
  }
  if (link === `"${previous}"`) return undefined
  return link === 'null'
    ? 'another chain begins here: its prev_hash is null'
    : 'its prev_hash is not the hash of the record before'
}

/** A name out of the log in so many characters, all of them plain. */
function excerpt(name: string): string {
  return pythonString(name.length > 40 ? `${name.slice(0, 40)}…` : name)
}
