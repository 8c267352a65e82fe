import { parseSegmentName, segmentName } from '../audit/segment.js'
import { isPlainObject } from '../core/guards.js'
import { closeQuietly, type FileIo } from './file-open.js'

/** A line at most, and the LF before it. */
const TAIL_BYTES = 65_536

/** A finished file of a log that goes on in another. */
export interface Segment {
  readonly path: string
  /** The name of the file, without its folder. */
  readonly file: string
  readonly firstSeq: number
}

/** The last record of a file. */
export interface LastRecord {
  readonly seq: number
  readonly hash: string
  /** Milliseconds since the epoch. */
  readonly ms: number
}

/** A path as its folder, with a separator at its end, and the name in it. */
function splitPath(path: string): readonly [folder: string, name: string] {
  const name = path.replace(/^.*[/\\]/, '')
  return [path.slice(0, path.length - name.length), name]
}

/** The segment that the records from `firstSeq` on are, once the file that holds them is finished. */
export function segmentOf(path: string, firstSeq: number): Segment {
  const [folder, name] = splitPath(path)
  const file = segmentName(name, firstSeq)
  return { path: `${folder}${file}`, file, firstSeq }
}

/** True when the names of its finished segments can be told from other names. */
export function canRotate(path: string): boolean {
  const [, name] = splitPath(path)
  return parseSegmentName(segmentName(name, 0))?.file === name
}

/** The finished segments of a log, oldest first. @throws what the system says. */
export function listSegments(io: FileIo, path: string): Segment[] {
  const [folder, name] = splitPath(path)
  return io
    .readdirSync(folder || '.')
    .flatMap((file) => {
      const parsed = parseSegmentName(file)
      return parsed?.file === name ? [segmentOf(path, parsed.firstSeq)] : []
    })
    .sort((one, other) => one.firstSeq - other.firstSeq)
}

/** The last record of a finished segment; `undefined` when it does not end in one. @throws what the system says. */
export function readLast(io: FileIo, segment: Segment): LastRecord | undefined {
  const { O_RDONLY, O_NOFOLLOW = 0, O_NONBLOCK = 0 } = io.constants
  const fd = io.openSync(segment.path, O_RDONLY | O_NOFOLLOW | O_NONBLOCK)
  try {
    const stat = io.fstatSync(fd)
    if (!stat.isFile()) return undefined
    const bytes = new Uint8Array(Math.min(TAIL_BYTES, stat.size))
    const length = io.readSync(fd, bytes, 0, bytes.length, stat.size - bytes.length)
    return parseLast(new TextDecoder().decode(bytes.subarray(0, length)))
  } finally {
    closeQuietly(io, fd)
  }
}

function parseLast(tail: string): LastRecord | undefined {
  if (!tail.endsWith('\n')) return undefined
  try {
    const record: unknown = JSON.parse(tail.slice(tail.lastIndexOf('\n', tail.length - 2) + 1))
    if (!isPlainObject(record)) return undefined
    const { seq, hash, ts } = record
    if (typeof seq !== 'number' || typeof hash !== 'string' || typeof ts !== 'string') return undefined
    return { seq, hash, ms: Date.parse(ts) }
  } catch {
    return undefined
  }
}
