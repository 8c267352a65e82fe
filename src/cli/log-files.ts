import { basename, dirname, join } from 'node:path'
import { MAX_HISTORY_BYTES, MAX_NOTE_BYTES, parseSegmentName } from '../verify.js'
import type { CliIo, LogBytes } from './cli-io.js'

/** How often the files of a log are looked for while its writer goes on to another one. */
const ATTEMPTS = 5

/** Where a log is, in one file or several. */
export interface LogFiles {
  /** The log, as it was named. */
  readonly path: string
  /** Its files, the oldest first. */
  readonly files: readonly string[]
  /** True when there are finished segments, and the file that is written to is not there. */
  readonly isEndMissing: boolean
  readonly bytes: LogBytes
  /** What lies beside it: its checkpoint, and the history of them. */
  readonly checkpoints: readonly Uint8Array[]
}

/**
 * Opens a log with everything that belongs to it. What vouches for it is read before the log itself, so that
 * a log that is being written to is never shorter than that.
 *
 * @throws {@link LogUnreadable}
 */
export function openLog(io: CliIo, path: string): LogFiles {
  const name = basename(path)
  // Standard input has nothing beside it, and a single segment is less than what its log's checkpoints cover.
  if (path === '-' || parseSegmentName(name) !== undefined) {
    return { path, files: [path], isEndMissing: false, bytes: io.readLog(path), checkpoints: [] }
  }
  const checkpoints = [
    io.readEnd(`${path}.checkpoint`, MAX_NOTE_BYTES + 1),
    io.readEnd(`${path}.checkpoints`, MAX_HISTORY_BYTES + 1),
  ].filter((file) => file !== undefined)
  for (let attempt = 1; ; attempt++) {
    const segments = segmentsOf(io, path)
    const active = openActive(io, path, segments.length > 0)
    // Between the two a writer may have finished a segment, which would then be in neither.
    if (attempt < ATTEMPTS && segmentsOf(io, path).length !== segments.length) continue
    const isEndMissing = active === undefined
    const files = isEndMissing ? segments : [...segments, path]
    return { path, files, isEndMissing, bytes: joined(io, segments, active), checkpoints }
  }
}

/** The finished segments of a log, the oldest first. */
function segmentsOf(io: CliIo, path: string): string[] {
  const folder = dirname(path)
  const name = basename(path)
  return (io.listFolder(folder) ?? [])
    .flatMap((entry) => {
      const segment = parseSegmentName(entry)
      return segment?.file === name ? [{ entry, firstSeq: segment.firstSeq }] : []
    })
    .sort((a, b) => a.firstSeq - b.firstSeq)
    .map(({ entry }) => (path === name ? entry : join(folder, entry)))
}

function openActive(io: CliIo, path: string, hasSegments: boolean): LogBytes | undefined {
  try {
    return io.readLog(path)
  } catch (cause) {
    if (hasSegments && io.readEnd(path, 0) === undefined) return undefined
    throw cause
  }
}

function joined(io: CliIo, segments: readonly string[], active: LogBytes | undefined): LogBytes {
  if (segments.length === 0 && active !== undefined) return active
  async function* read(): AsyncGenerator<Uint8Array> {
    for (const segment of segments) yield* io.readLog(segment)
    if (active !== undefined) yield* active
  }
  return { size: undefined, [Symbol.asyncIterator]: read }
}
