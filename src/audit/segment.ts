import { isPlainObject } from '../core/guards.js'
import { CompactTree } from './merkle/compact-tree.js'

const DIGITS = 12
const HASH_HEX = /^[0-9a-f]{64}$/
const SEGMENT = /^(.*)\.(\d{12,16})(\.[^.]*)?$/s

/** Where the digits of a segment go: before the last extension, if there is one. */
function splitName(file: string): readonly [stem: string, extension: string] {
  const dot = file.lastIndexOf('.')
  return dot <= 0 ? [file, ''] : [file.slice(0, dot), file.slice(dot)]
}

/**
 * The name of a finished segment of a log: `audit.jsonl` from record 1200 on is `audit.000000001200.jsonl`.
 *
 * @param file name of the log, without a folder.
 */
export function segmentName(file: string, firstSeq: number): string {
  const [stem, extension] = splitName(file)
  return `${stem}.${String(firstSeq).padStart(DIGITS, '0')}${extension}`
}

/** The log and the first record that a name of {@link segmentName} is of; `undefined` for any other name. */
export function parseSegmentName(name: string): { file: string; firstSeq: number } | undefined {
  const [, stem, digits, extension = ''] = SEGMENT.exec(name) ?? []
  if (stem === undefined || stem === '' || digits === undefined) return undefined
  const file = stem + extension
  const firstSeq = Number(digits)
  return segmentName(file, firstSeq) === name ? { file, firstSeq } : undefined
}

/** What a segment says of everything before it. */
export interface PreviousSegment {
  /** Name of the file before this one. */
  readonly file: string
  /** Records before this one. */
  readonly size: number
  /** `hash` of the last of them. */
  readonly hash: string
  /** The Merkle tree over them, where the segment has it. */
  readonly tree: CompactTree | undefined
}

/**
 * What the first record of a segment claims of those before it, if it is one.
 *
 * @param record the record, parsed.
 */
export function readPrevious(record: unknown): PreviousSegment | undefined {
  if (!isPlainObject(record) || record['event'] !== 'log_open' || !isPlainObject(record['payload'])) {
    return undefined
  }
  const { previous } = record['payload']
  if (!isPlainObject(previous)) return undefined
  const { file, size, hash, tree } = previous
  if (typeof file !== 'string' || typeof hash !== 'string' || !HASH_HEX.test(hash)) return undefined
  if (typeof size !== 'number' || !Number.isSafeInteger(size) || size < 1) return undefined
  return { file, size, hash, tree: readTree(size, tree) }
}

function readTree(size: number, nodes: unknown): CompactTree | undefined {
  try {
    return CompactTree.from({ size, nodes: nodes as readonly string[] })
  } catch {
    // A tree that is none cannot be gone on from: what needs it is not checked, and says so.
    return undefined
  }
}
