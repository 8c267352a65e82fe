import { LineSplitter } from '../audit/line-splitter.js'
import { CompactTree } from '../audit/merkle/compact-tree.js'
import { leafHash } from '../audit/merkle/hash.js'
import { MAX_LINE_BYTES } from '../audit/record.js'
import type { VerifyReport } from '../audit/verdict.js'
import { LogVerifier } from '../audit/verify.js'
import { isPlainObject } from '../core/guards.js'
import type { FileIo } from './file-open.js'

const CHUNK_BYTES = 1024 * 1024

/** What a file of a log holds. */
export interface LogScan {
  readonly report: VerifyReport
  /** `seq` of the first record; 0 for an empty file. */
  readonly firstSeq: number
  /** `ts` of the first record, in milliseconds since the epoch. */
  readonly firstMs: number | undefined
  /** The tree over the records that hold, when it was asked for. */
  readonly tree: CompactTree | undefined
}

/**
 * Checks a file of a log from its first byte to its last.
 *
 * @param onTree asks for the Merkle tree, and is told of it at every size.
 */
export function scanLog(io: FileIo, fd: number, onTree: ((tree: CompactTree) => void) | undefined): LogScan {
  const verifier = new LogVerifier()
  const lines = new LineSplitter(MAX_LINE_BYTES)
  let first: FirstRecord | undefined
  for (const chunk of chunksOf(io, fd, 0)) {
    verifier.push(chunk)
    for (const { bytes, broken, index } of lines.push(chunk)) {
      if (first === undefined) {
        first = readFirst(bytes)
        if (first.tree !== undefined) onTree?.(first.tree)
      }
      const { seq, tree } = first
      // What does not hold is not part of the tree.
      const holds = broken === undefined && seq + index < (verifier.fault?.seq ?? Number.POSITIVE_INFINITY)
      if (onTree === undefined || tree === undefined || !holds) continue
      tree.append(leafHash(bytes))
      onTree(tree)
    }
  }
  const { seq = 0, ms, tree } = first ?? readFirst(new Uint8Array(0))
  if (first === undefined && tree !== undefined) onTree?.(tree)
  return { report: verifier.finish(), firstSeq: seq, firstMs: ms, tree }
}

interface FirstRecord {
  readonly seq: number
  readonly ms: number | undefined
  /** The tree before this record; `undefined` when the file goes on from another and does not say. */
  readonly tree: CompactTree | undefined
}

/** What the first record of a file says of what came before. Whether it holds, the verifier says. */
function readFirst(line: Uint8Array): FirstRecord {
  const { seq, ts, payload } = parseObject(line)
  const previous = isPlainObject(payload) && isPlainObject(payload['previous']) ? payload['previous'] : {}
  const start = typeof seq === 'number' ? seq : 0
  const ms = typeof ts === 'string' ? Date.parse(ts) : Number.NaN
  return {
    seq: start,
    ms: Number.isFinite(ms) ? ms : undefined,
    tree: start === 0 ? new CompactTree() : treeOf(start, previous['tree']),
  }
}

function treeOf(size: number, nodes: unknown): CompactTree | undefined {
  try {
    return CompactTree.from({ size, nodes: nodes as readonly string[] })
  } catch {
    return undefined
  }
}

function parseObject(line: Uint8Array): Record<string, unknown> {
  try {
    const value: unknown = JSON.parse(new TextDecoder().decode(line))
    return isPlainObject(value) ? value : {}
  } catch {
    return {}
  }
}

/** The bytes of a file, from an offset to its end. Each piece is valid until the next. */
export function* chunksOf(io: FileIo, fd: number, from: number): Generator<Uint8Array> {
  const buffer = new Uint8Array(CHUNK_BYTES)
  let position = from
  for (;;) {
    const length = io.readSync(fd, buffer, 0, CHUNK_BYTES, position)
    if (length === 0) return
    yield buffer.subarray(0, length)
    position += length
  }
}
