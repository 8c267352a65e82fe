import type { FileIo } from './file-open.js'
import type { RotationOptions } from './rotation.js'
import { type LastRecord, listSegments, readLast, type Segment } from './segments.js'

/** A finished segment that is not kept any longer. */
export interface Expired {
  readonly segment: Segment
  readonly last: LastRecord
}

/** Which finished segments go, oldest first, and why. Only ever the oldest: what is kept has no gaps. */
export function expiredSegments(
  io: FileIo,
  path: string,
  rotation: RotationOptions,
  nowMs: number,
  endSeq: number,
): { readonly reason: 'max_segments' | 'max_age_ms'; readonly expired: readonly Expired[] } | undefined {
  const { keepSegments = Number.POSITIVE_INFINITY, keepMs } = rotation
  if (keepSegments === Number.POSITIVE_INFINITY && keepMs === undefined) return undefined
  const segments = listSegments(io, path).filter(({ firstSeq }) => firstSeq < endSeq)
  const surplus = Math.max(0, segments.length - keepSegments)
  const expired: Expired[] = []
  let aged = 0
  for (const [index, segment] of segments.entries()) {
    const last = readQuietly(io, segment)
    // One that does not end where the next begins is another log's, or somebody's evidence.
    if (last === undefined || last.seq + 1 !== (segments[index + 1]?.firstSeq ?? endSeq)) break
    const isOld = keepMs !== undefined && last.ms < nowMs - keepMs
    if (index >= surplus && !isOld) break
    if (index >= surplus) aged += 1
    expired.push({ segment, last })
  }
  if (expired.length === 0) return undefined
  return { reason: aged > 0 ? 'max_age_ms' : 'max_segments', expired }
}

/** What cannot be read is not removed, and no reason not to write. */
function readQuietly(io: FileIo, segment: Segment): LastRecord | undefined {
  try {
    return readLast(io, segment)
  } catch {
    return undefined
  }
}

/** The payload of `log_pruned`. */
export function prunedPayload(
  reason: string,
  expired: readonly Expired[],
): Readonly<Record<string, unknown>> {
  return {
    segments: expired.map(({ segment, last }) => ({
      file: segment.file,
      first_seq: segment.firstSeq,
      records: last.seq - segment.firstSeq + 1,
      hash: last.hash,
    })),
    reason,
  }
}
