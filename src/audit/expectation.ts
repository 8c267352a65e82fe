import type { CompactTree } from './merkle/compact-tree.js'
import { sameHash } from './merkle/hash.js'

/** What a verdict rests on: a key that the verifier supplied, or what it remembered from elsewhere. */
export type Assurance = 'signed' | 'anchored'

/** A time that a key is good for, in milliseconds since the Unix epoch; the end is not part of it. */
export interface TimeSpan {
  readonly fromMs: number
  readonly untilMs: number
}

/** What a log must be like when it has so many records, as somebody trusted says. */
export interface Expectation {
  readonly assurance: Assurance
  /** Records. */
  readonly size: number
  /** The root of the Merkle tree over them, 32 bytes. */
  readonly root?: Uint8Array
  /** `hash` of the last of them, 64 lowercase hexadecimal digits. */
  readonly hash?: string
  /** Name and id of the keys that signed it. */
  readonly keys?: readonly string[]
  /** The time that each of these keys is good for; the last record that is covered must lie in all of them. */
  readonly spans?: readonly TimeSpan[]
}

/**
 * What became of an expectation: it `holds`; the log is `rewritten` there or `truncated` before it; it is
 * `out_of_time`, so that it is not believed; or it is `unchecked`, because the records are gone.
 */
export type ExpectationOutcome = 'holds' | 'rewritten' | 'truncated' | 'out_of_time' | 'unchecked'

/** An expectation and what became of it. */
export interface Judged {
  readonly expectation: Expectation
  readonly outcome: ExpectationOutcome
  /** Why it could not be checked. */
  readonly detail?: string
}

/** The log at the size that an expectation is of. */
export interface Reached {
  readonly hash: string
  /** Where there is one. */
  readonly tree: CompactTree | undefined
  /** Time of the last record, as it says; undefined where it says none. */
  readonly ts: string | undefined
}

const NO_TREE = 'the hashes of the tree before the first record that is left are not there'

/** Compares what is expected with a log while that goes by. */
export class Expectations {
  readonly #waiting: Expectation[]
  readonly #judged: Judged[] = []
  readonly #roots: number

  /** @param expected in any order; those of size 0 say nothing and are left out. */
  constructor(expected: readonly Expectation[]) {
    this.#waiting = expected.filter(({ size }) => size > 0).sort((a, b) => b.size - a.size)
    this.#roots = Math.max(
      0,
      ...this.#waiting.filter(({ root }) => root !== undefined).map(({ size }) => size),
    )
    this.next = this.#waiting.at(-1)?.size ?? Number.POSITIVE_INFINITY
  }

  /** The size that is compared next. */
  next: number

  /** True when there is a root to compare at that size or beyond. */
  needsTree(size: number): boolean {
    return size <= this.#roots
  }

  /** The log begins here: nothing before can be looked at. */
  begin(first: number, reached: Reached): void {
    while (this.next < first) {
      this.#settle({ outcome: 'unchecked', detail: `the log that is left begins at record ${first}` })
    }
    while (this.next === first) {
      const expectation = this.#waiting.at(-1) as Expectation
      const differs = compare(expectation, reached) === 'rewritten'
      this.#settle(
        differs
          ? { outcome: 'rewritten' }
          : { outcome: 'unchecked', detail: `it covers only what is before record ${first}` },
      )
    }
  }

  /**
   * The log has {@link Expectations.next} records.
   *
   * @returns true when something that is expected there holds.
   */
  reach(reached: Reached): boolean {
    const size = this.next
    let holds = false
    while (this.next === size) {
      const expectation = this.#waiting.at(-1) as Expectation
      const outcome = isInTime(expectation, reached.ts) ? compare(expectation, reached) : 'out_of_time'
      if (outcome === 'holds') holds = true
      this.#settle(outcome === 'unchecked' ? { outcome, detail: NO_TREE } : { outcome })
    }
    return holds
  }

  /** The log has ended; its last record is of that time. */
  finish(ts: string | undefined): readonly Judged[] {
    while (this.#waiting.length > 0) {
      const { spans = [] } = this.#waiting.at(-1) as Expectation
      // What the log does not have yet would be later still.
      const isLate = ts !== undefined && spans.some(({ untilMs }) => !(Date.parse(ts) < untilMs))
      this.#settle({ outcome: isLate ? 'out_of_time' : 'truncated' })
    }
    return this.#judged
  }

  #settle(fate: Omit<Judged, 'expectation'>): void {
    this.#judged.push({ expectation: this.#waiting.pop() as Expectation, ...fate })
    this.next = this.#waiting.at(-1)?.size ?? Number.POSITIVE_INFINITY
  }
}

function compare({ root, hash }: Expectation, { hash: actual, tree }: Reached): ExpectationOutcome {
  if (hash !== undefined && hash !== actual) return 'rewritten'
  if (root === undefined) return hash === undefined ? 'unchecked' : 'holds'
  if (tree === undefined) return 'unchecked'
  return sameHash(tree.root(), root) ? 'holds' : 'rewritten'
}

/** A record without a time that can be read is in no span. */
function isInTime({ spans = [] }: Expectation, ts: string | undefined): boolean {
  const atMs = ts === undefined ? Number.NaN : Date.parse(ts)
  return spans.every(({ fromMs, untilMs }) => fromMs <= atMs && atMs < untilMs)
}
