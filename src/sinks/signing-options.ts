import { describe } from '../core/describe.js'
import { readCount, readFunction, readOptions } from '../core/guards.js'

/** How a log is signed. */
export interface SigningOptions {
  /**
   * The private key: the path of a file that `writ keygen` made and nobody but its owner may read, or the text
   * in such a file (`PRIVATE+KEY+…`), for example from a secret manager.
   */
  readonly key: string
  /**
   * The log's own name, in every checkpoint. Default: the name of the key. `{pid}` becomes the process id. Two
   * logs MUST NOT share one: to whoever verifies they would be two versions of the same log.
   */
  readonly origin?: string
  /** A checkpoint at the latest after so many records; at least 1, default 1,000. */
  readonly everyRecords?: number
  /** A checkpoint at the latest so many milliseconds after a record; at least 10, default 10,000. */
  readonly everyMs?: number
  /**
   * Puts a checkpoint where the machine that writes the log cannot change it: another account, an object lock, a
   * witness, a ticket. Called with every checkpoint that is stored, one at a time, the newest first when it falls
   * behind. When it throws, rejects or takes too long, the log says so in `anchor_failed`.
   */
  readonly anchor?: (checkpoint: string) => void | Promise<void>
  /** Milliseconds that `anchor` may take; at least 1, default 30,000. */
  readonly anchorTimeoutMs?: number
  /**
   * The newest checkpoint is handed to `anchor` once more when nothing has happened for so many milliseconds: a
   * log that falls silent is told from one that was cut. At least 1,000, default 3,600,000 (an hour).
   */
  readonly heartbeatMs?: number
  /**
   * Signs a log that has records and no checkpoint yet. Without it, such a log is refused: somebody may have
   * removed its checkpoints and rewritten it. Default false.
   */
  readonly adopt?: boolean
}

export interface Signing {
  readonly key: unknown
  readonly origin: string | undefined
  readonly everyRecords: number
  readonly everyMs: number
  readonly anchor: ((checkpoint: string) => unknown) | undefined
  readonly anchorTimeoutMs: number
  readonly heartbeatMs: number
  readonly adopt: boolean
}

const MAX_TIMER_MS = 2 ** 31 - 1

/**
 * @param named puts the process id where an origin asks for it.
 * @throws TypeError or RangeError for an option that is unknown, missing or not usable.
 */
export function readSigning(value: unknown, named: (text: string) => string): Signing {
  const given = readOptions('signing', value, [
    'key',
    'origin',
    'everyRecords',
    'everyMs',
    'anchor',
    'anchorTimeoutMs',
    'heartbeatMs',
    'adopt',
  ])
  const { origin, adopt = false } = given
  if (given.key === undefined) throw new TypeError('signing.key: missing; `writ keygen` makes one')
  if (origin !== undefined && (typeof origin !== 'string' || !/^[^\n\r]{1,512}$/.test(origin))) {
    throw new TypeError(`signing.origin: expected one line of text, got ${describe(origin)}`)
  }
  if (typeof adopt !== 'boolean')
    throw new TypeError(`signing.adopt: expected a boolean, got ${describe(adopt)}`)
  return {
    key: given.key,
    origin: origin === undefined ? undefined : named(origin),
    everyRecords: atLeast('everyRecords', given.everyRecords ?? 1000, 1, Number.MAX_SAFE_INTEGER),
    everyMs: atLeast('everyMs', given.everyMs ?? 10_000, 10, MAX_TIMER_MS),
    anchor: given.anchor === undefined ? undefined : readFunction('signing.anchor', given.anchor),
    anchorTimeoutMs: atLeast('anchorTimeoutMs', given.anchorTimeoutMs ?? 30_000, 1, MAX_TIMER_MS),
    heartbeatMs: atLeast('heartbeatMs', given.heartbeatMs ?? 3_600_000, 1000, MAX_TIMER_MS),
    adopt,
  }
}

function atLeast(name: string, value: unknown, least: number, most: number): number {
  const label = `signing.${name}`
  const count = readCount(label, value, most)
  if (count < least) throw new RangeError(`${label}: expected at least ${least}, got ${count}`)
  return count
}
