/** Every `event` a record can have. */
export const EVENTS = [
  'log_open',
  'log_recovered',
  'log_pruned',
  'anchor_failed',
  'log_close',
  'session_start',
  'llm_call',
  'charge',
  'approval_requested',
  'approval_decided',
  'tool_call',
  'tool_result',
  'tool_denied',
  'budget_exceeded',
  'credential_issued',
  'session_end',
  'sink_dropped',
] as const

export type EventName = (typeof EVENTS)[number]

/** Consumption of a session at the moment of a record. */
export interface RecordedBudget {
  readonly usd: number
  readonly tokens: number
  readonly wall_ms: number
  readonly tool_calls: number
  readonly llm_calls: number
  readonly depth: number
  readonly denials: number
}

/**
 * One record as `JSON.parse` reads it from a line. The line itself, not this object, is what the hash
 * covers. Records of the log itself (`log_open`, `sink_dropped`, …) have no session members.
 */
export interface AuditRecord {
  readonly v: 1
  /** Counts from 0 without gaps: the index of the line. */
  readonly seq: number
  /** Highest `seq` known to be on stable storage when this line was formed; −1 for none. */
  readonly synced: number
  /** UTC, ISO 8601 with milliseconds. */
  readonly ts: string
  readonly log_id: string
  readonly session_id?: string
  readonly agent_identity?: string
  readonly invoking_user?: string
  readonly principal?: string
  readonly event: EventName
  readonly payload: Readonly<Record<string, unknown>>
  readonly budget?: RecordedBudget
  /** The previous line's `hash`; 64 zeros on the first. */
  readonly prev_hash: string
  readonly hash: string
}
