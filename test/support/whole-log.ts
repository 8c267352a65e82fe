import { existsSync, readFileSync } from 'node:fs'
import type { AuditRecord } from 'writ'
import { type VerifyReport, verifyLog } from 'writ/verify'
import { historyOf, KEY, segmentsOf } from './written-logs.js'

/** The bytes of a log, of all its files. A writer that was killed between two files has left no active one. */
export const bytesOf = (path: string): Buffer =>
  Buffer.concat(
    segmentsOf(path)
      .filter((file) => existsSync(file))
      .map((file) => readFileSync(file)),
  )

/** The records of whole lines. */
export const recordsOf = (bytes: Uint8Array): AuditRecord[] =>
  Buffer.from(bytes)
    .toString('utf8')
    .split('\n')
    .slice(0, -1)
    .map((line) => JSON.parse(line) as AuditRecord)

/** The verdict on a log signed by {@link KEY}, with everything that lies beside it. */
export function verifySigned(path: string): Promise<VerifyReport> {
  return verifyLog(bytesOf(path), { keys: [KEY.verifierKey], checkpoints: historyOf(path) })
}

/** Calls in acknowledgement lines that no record speaks of. */
export function missingCalls(ran: readonly string[], records: readonly AuditRecord[]): string[] {
  const recorded = new Set(
    records.filter(({ event }) => event === 'tool_call').map(({ payload }) => payload['call_id']),
  )
  return ran.filter((callId) => !recorded.has(callId))
}
