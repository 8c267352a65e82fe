import { GENESIS, seal } from '../../../src/audit/record.js'
import type { SealedRecord, SinkHost } from '../../../src/audit/sink.js'

/** The first `count` records of a chain. */
export function records(count: number, payload = '{"task":"Grüße, 東京"}'): SealedRecord[] {
  let prevHash = GENESIS
  return Array.from({ length: count }, (_, seq) => {
    const record = seal({
      seq,
      synced: -1,
      ts: '2026-01-01T00:00:00.000Z',
      envelope: '"log_id":"01ARZ3NDEKTSV4RRFFQ69G5FAV",',
      event: 'session_start',
      payload,
      budget: '',
      prevHash,
    })
    prevHash = record.hash
    return record
  })
}

/** One record. */
export function record(): SealedRecord {
  return records(1)[0] as SealedRecord
}

/** A host that remembers what it was told. */
export class Host implements SinkHost {
  readonly reports: { count: number; cause: unknown }[] = []

  get drops(): number {
    return this.reports.reduce((sum, { count }) => sum + count, 0)
  }

  dropped(count: number, cause?: unknown): void {
    this.reports.push({ count, cause })
  }
}
