import type { Assurance, ExpectationOutcome, Judged } from './expectation.js'
import type { Finding } from './finding.js'
import type { Trust } from './trust.js'
import type { CheckpointReport, Fault, Verdict } from './verdict.js'

const MAX_CHECKPOINTS = 100

/** What the bytes of a log alone have shown. */
export interface ChainState {
  /** The verdict that the chain alone gives; undefined when it holds. */
  readonly verdict: 'TAMPERED' | 'MALFORMED' | 'CRASH_DAMAGED' | undefined
  readonly fault: Fault | undefined
  /** True when there were no bytes at all. */
  readonly isEmpty: boolean
  readonly first: number
  readonly size: number
}

/** The verdict on a log, with what vouches for it. */
export interface Conclusion {
  readonly verdict: Verdict
  readonly assurance: Assurance | undefined
  readonly covered: number
  readonly anchored: number
}

/**
 * Puts together what the chain shows and what somebody trusted expects.
 *
 * A fault of the chain decides first: where it lies is what has to be known. An expectation can only make
 * damage into tampering, never the other way round.
 */
export function conclude(chain: ChainState, judged: readonly Judged[], trust: Trust): Conclusion {
  const is = (outcome: ExpectationOutcome) => judged.some((each) => each.outcome === outcome)
  const covered = largest(judged, () => true)
  const anchored = largest(judged, ({ assurance }) => assurance === 'anchored')
  const without = (verdict: Verdict): Conclusion => ({ verdict, assurance: undefined, covered, anchored })

  const isTruncated = is('truncated')
  if (chain.isEmpty) return without(isTruncated ? 'TRUNCATED' : 'MALFORMED')
  if (chain.verdict === 'TAMPERED' || chain.verdict === 'MALFORMED') return without(chain.verdict)
  // What is damaged had been there whole: no crash takes back what somebody else has seen.
  if (chain.verdict === 'CRASH_DAMAGED' && isTruncated) return without('TAMPERED')
  if (is('rewritten')) return without('REWRITTEN')
  if (isTruncated) return without('TRUNCATED')
  if (trust.isForged || is('out_of_time')) return without('UNTRUSTED')
  if (chain.verdict !== undefined) return without(chain.verdict)
  if (anchored > 0) return { verdict: 'VALID', assurance: 'anchored', covered, anchored }
  if (covered > 0 && trust.require === 'signed') {
    return { verdict: 'VALID', assurance: 'signed', covered, anchored }
  }
  return without('UNANCHORED')
}

function largest(judged: readonly Judged[], counts: (expectation: Judged['expectation']) => boolean): number {
  let size = 0
  for (const { expectation, outcome } of judged) {
    if (outcome === 'holds' && counts(expectation)) size = Math.max(size, expectation.size)
  }
  return size
}

/** The checkpoints for a report: those that do not hold first, then the largest. */
export function checkpointsOf(judged: readonly Judged[]): readonly CheckpointReport[] {
  const rank = ({ outcome }: Judged): number => (outcome === 'holds' ? 1 : 0)
  return Object.freeze(
    [...judged]
      .sort((a, b) => rank(a) - rank(b) || b.expectation.size - a.expectation.size)
      .slice(0, MAX_CHECKPOINTS)
      .map(({ expectation: { size, assurance, keys = [] }, outcome, detail }) =>
        Object.freeze({ size, assurance, keys, outcome, ...(detail === undefined ? {} : { detail }) }),
      ),
  )
}

/** What the fate of the checkpoints has to say beside the verdict. */
export function findingsOf(judged: readonly Judged[]): Finding[] {
  const late = judged.filter(({ outcome }) => outcome === 'out_of_time')
  const unchecked = judged.filter(({ outcome }) => outcome === 'unchecked')
  const [first] = unchecked
  return [
    ...(late.length === 0
      ? []
      : [
          {
            kind: 'checkpoint_out_of_time' as const,
            count: late.length,
            detail: 'signed with a key outside of the time it is good for',
          },
        ]),
    ...(first === undefined
      ? []
      : [{ kind: 'unchecked' as const, count: unchecked.length, detail: first.detail ?? 'not checked' }]),
  ]
}
