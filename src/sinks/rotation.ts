import { readCount, readOptions } from '../core/guards.js'

/** When a log goes on in a new file, and how many of the old ones are kept. */
export interface RotationOptions {
  /** A file that has reached so many bytes is finished; at least 65,536. */
  readonly maxBytes?: number
  /** A file whose first record is so many milliseconds old is finished, with the next record; at least 1,000. */
  readonly maxAgeMs?: number
  /** How many finished files are kept; the oldest are removed. At least 1; default all. */
  readonly keepSegments?: number
  /** Finished files whose last record is older than so many milliseconds are removed. At least 1,000; default none. */
  readonly keepMs?: number
}

const LEAST: { readonly [N in keyof RotationOptions]-?: number } = {
  maxBytes: 65_536,
  maxAgeMs: 1000,
  keepSegments: 1,
  keepMs: 1000,
}

/** @throws TypeError or RangeError for an option that is unknown or not usable, or none that ever finishes a file. */
export function readRotation(value: unknown): RotationOptions {
  const names = Object.keys(LEAST) as (keyof RotationOptions)[]
  const given = readOptions('rotation', value, names)
  const read: { -readonly [N in keyof RotationOptions]: number } = {}
  for (const name of names) {
    if (given[name] === undefined) continue
    const count = readCount(`rotation.${name}`, given[name])
    if (count < LEAST[name]) {
      throw new RangeError(`rotation.${name}: expected at least ${LEAST[name]}, got ${count}`)
    }
    read[name] = count
  }
  if (read.maxBytes === undefined && read.maxAgeMs === undefined) {
    throw new TypeError('rotation: expected maxBytes or maxAgeMs; nothing else ever finishes a file')
  }
  return Object.freeze(read)
}
