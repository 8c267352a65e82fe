import { join } from 'node:path'
import { parseSegmentName } from '../verify.js'
import { type CliIo, LogUnreadable } from './cli-io.js'
import { safeText } from './safe-text.js'

const SIDECAR = /^(.+)\.checkpoints?$/s
/** What a writer leaves beside its log, and what each is. */
const BESIDE: readonly (readonly [pattern: RegExp, what: string])[] = [
  [/^(.+)\.torn-\d+$/s, 'set aside after a crash'],
  [/^(.+)\.lock$/s, 'the lock of its writer'],
  [/^(.+)\.checkpoint\.new$/s, 'a checkpoint that was not finished'],
]
const MAX_NAMES = 10

/** A folder of logs. */
export interface Folder {
  /** Paths of the logs, sorted. */
  readonly logs: readonly string[]
  /** Names of everything in it that is no part of a log, sorted, each with what it is, where that is known. */
  readonly others: readonly { readonly name: string; readonly what: string | undefined }[]
}

/**
 * What is in a folder: a log is every file that ends in `.jsonl`, and whatever has a checkpoint or finished
 * segments. `undefined` when it is no folder.
 *
 * @throws {@link LogUnreadable} when there is no log in it.
 */
export function readFolder(io: CliIo, folder: string): Folder | undefined {
  const names = io.listFolder(folder)
  if (names === undefined) return undefined
  const found = new Set<string>()
  const rest: string[] = []
  for (const name of names) {
    const owner = parseSegmentName(name)?.file ?? SIDECAR.exec(name)?.[1]
    if (owner !== undefined) found.add(owner)
    else if (name.endsWith('.jsonl') && io.listFolder(join(folder, name)) === undefined) found.add(name)
    else rest.push(name)
  }
  if (found.size === 0) throw new LogUnreadable(`${folder}: there is no log in this folder`)
  const others = rest.filter((name) => !found.has(name)).map((name) => ({ name, what: whatIs(name, found) }))
  return { logs: [...found].sort().map((name) => join(folder, name)), others }
}

function whatIs(name: string, logs: ReadonlySet<string>): string | undefined {
  for (const [pattern, what] of BESIDE) {
    const owner = pattern.exec(name)?.[1]
    if (owner !== undefined && logs.has(owner)) return what
  }
  return undefined
}

/** One line about what was not looked at; empty when there is nothing else. */
export function othersText({ others }: Folder): string {
  if (others.length === 0) return ''
  const shown = others
    .slice(0, MAX_NAMES)
    .map(({ name, what }) => safeText(name) + (what === undefined ? '' : ` (${what})`))
  const more = others.length > MAX_NAMES ? `, and ${others.length - MAX_NAMES} more` : ''
  return `Not looked at in this folder: ${shown.join(', ')}${more}\n`
}
