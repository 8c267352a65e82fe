import type { CompactTree } from '../audit/merkle/compact-tree.js'
import type { Checkpoint } from '../audit/note/checkpoint.js'
import { MAX_LINE_BYTES } from '../audit/record.js'
import type { VerifyReport } from '../audit/verdict.js'
import { LogVerifier } from '../audit/verify.js'
import type { FileIo } from './file-open.js'

const CHUNK_BYTES = 1024 * 1024

/** What a file of a log holds. */
export interface LogScan {
  readonly report: VerifyReport
  /** The Merkle tree over the records that hold; `undefined` when the file does not say what was before it. */
  readonly tree: CompactTree | undefined
}

/**
 * Checks a file of a log from its first byte to its last.
 *
 * @param tree asks for the Merkle tree.
 * @param checkpoint the log's own, which it has to agree with.
 */
export function scanLog(io: FileIo, fd: number, tree: boolean, checkpoint: Checkpoint | undefined): LogScan {
  const expected = checkpoint === undefined ? [] : [{ assurance: 'signed' as const, ...checkpoint }]
  const verifier = new LogVerifier({ expected, hasCheckpoints: true }, { tree })
  for (const chunk of chunksOf(io, fd, 0)) verifier.push(chunk)
  return { report: verifier.finish(), tree: verifier.tree }
}

/** When the first record of a file was written, in milliseconds since the epoch; `undefined` when it does not say. */
export function readFirstMs(io: FileIo, fd: number): number | undefined {
  const bytes = new Uint8Array(MAX_LINE_BYTES)
  const length = io.readSync(fd, bytes, 0, bytes.length, 0)
  const [line = ''] = new TextDecoder().decode(bytes.subarray(0, length)).split('\n', 1)
  try {
    const { ts } = JSON.parse(line) as { ts?: unknown }
    const ms = typeof ts === 'string' ? Date.parse(ts) : Number.NaN
    return Number.isFinite(ms) ? ms : undefined
  } catch {
    return undefined
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
