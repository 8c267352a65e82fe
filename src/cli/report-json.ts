import { encodeJson } from '../core/json-text.js'
import { type ChainReport, EXIT_CODES, type VerifyReport } from '../verify.js'
import type { LogFiles } from './log-files.js'

function chainMembers({ verdict, size, bytes, head, logId, fault }: ChainReport): object {
  return {
    verdict,
    exit: EXIT_CODES[verdict],
    size,
    bytes,
    head: head ?? null,
    log_id: logId ?? null,
    fault: fault === undefined ? null : { seq: fault.seq, offset: fault.offset, detail: fault.detail },
  }
}

/** What is said of a log of any kind, as one line of JSON. */
export function chainJson(report: ChainReport): string {
  return encodeJson(chainMembers(report))
}

/** What is said of a log of Writ's, as one line of JSON. */
export function reportJson(files: LogFiles, report: VerifyReport, nowMs: number): string {
  const { assurance, first, covered, anchored, uncovered, checkpoints, findings } = report
  const { records, since } = uncovered
  const ageMs = since === undefined ? Number.NaN : nowMs - Date.parse(since)
  return encodeJson({
    ...chainMembers(report),
    assurance: assurance ?? null,
    first,
    covered,
    anchored,
    uncovered: { records, since: since ?? null, age_ms: Number.isNaN(ageMs) ? null : Math.max(0, ageMs) },
    checkpoints,
    findings,
    files: files.files,
  })
}
