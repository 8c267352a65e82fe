import type { EventName } from 'writ'
import { CompactTree, leafHash } from 'writ/verify'
import { formatCheckpoint } from '../../src/audit/note/checkpoint.js'
import { signNote } from '../../src/audit/note/sign-note.js'
import { SigningKey } from '../../src/audit/note/signing-key.js'
import { GENESIS, seal } from '../../src/audit/record.js'
import { segmentName } from '../../src/audit/segment.js'
import { type LineParts, LOG_ID } from './audit-logs.js'

export const ORIGIN = 'example.com/audit'

/** A key that is the same in every run. */
export function keyOf(name: string = ORIGIN, seed = 1): SigningKey {
  return SigningKey.fromSeed(name, new Uint8Array(32).fill(seed))
}

/** A checkpoint over the first `size` lines, as whoever writes the log signs it. */
export function noteOver(
  lines: readonly string[],
  size: number = lines.length,
  keys: readonly SigningKey[] = [keyOf()],
  origin: string = ORIGIN,
): string {
  const tree = new CompactTree()
  for (const line of lines.slice(0, size)) tree.append(leafHash(line))
  return signNote(formatCheckpoint({ origin, size, root: tree.root() }), keys)
}

/** Notes as the file beside a log holds them: each followed by an empty line. */
export const historyOf = (notes: readonly string[]): string => notes.map((note) => `${note}\n`).join('')

export const headOf = (
  lines: readonly string[],
  size: number = lines.length,
): { size: number; hash: string } => ({
  size,
  hash: (lines[size - 1] ?? '').slice(-66, -2),
})

/** Members of a session, for the envelope of its records. */
export function sessionMembers(id: string, user = 'alice', identity = 'support-bot/v1'): string {
  return `"session_id":"${id}","agent_identity":"${identity}","invoking_user":"${user}","principal":"${identity}@${id}",`
}

/** One log in several files, each with its lines; the last is the active one. */
export interface SegmentedLog {
  readonly files: readonly { readonly name: string; readonly lines: readonly string[] }[]
  readonly lines: readonly string[]
}

/** A log whose writer began a new file before each of these records. */
export function segmentedLog(
  parts: readonly LineParts[],
  starts: readonly number[],
  options: { readonly tree?: boolean } = {},
): SegmentedLog {
  const tree = new CompactTree()
  const firsts = [0, ...starts]
  const nameOf = (index: number) =>
    index === firsts.length - 1 ? 'audit.jsonl' : segmentName('audit.jsonl', firsts[index] as number)
  const files: { name: string; lines: string[] }[] = []
  let prevHash = GENESIS
  for (const [seq, given] of parts.entries()) {
    const index = firsts.indexOf(seq)
    let part = given
    if (index >= 0) files.push({ name: nameOf(index), lines: [] })
    if (index > 0) {
      const previous = {
        file: nameOf(index - 1),
        size: seq,
        hash: prevHash,
        ...(options.tree === false ? {} : { tree: tree.toJSON().nodes }),
      }
      part = { event: 'log_open', payload: JSON.stringify({ writer: 'writ', previous }) }
    }
    const { event = 'session_start', payload = '{"depth":0}', session = '', budget = '', synced = -1 } = part
    const { ts = timeOf(seq) } = part
    const record = seal({
      seq,
      synced,
      ts,
      envelope: `"log_id":"${LOG_ID}",${session}`,
      event: event as EventName,
      payload,
      budget,
      prevHash,
    })
    prevHash = record.hash
    tree.append(leafHash(record.line))
    files.at(-1)?.lines.push(record.line)
  }
  return { files, lines: files.flatMap(({ lines }) => lines) }
}

/** One second for each record, from 2026-01-01 on. */
export const timeOf = (seq: number): string => new Date(Date.UTC(2026, 0, 1) + seq * 1000).toISOString()
