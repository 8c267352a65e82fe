import type { AuditRecord, EventName } from './event.js'

/** One record, sealed: its line will never change again. */
export interface SealedRecord {
  readonly seq: number
  readonly event: EventName
  /** The last member of the line: SHA-256 over everything before it, in hexadecimal. */
  readonly hash: string
  /** The exact line, without its LF. */
  readonly line: string
  /** The line, parsed; a new object on every call. */
  parse(): AuditRecord
}

/** Where a chain that a sink already holds ends. */
export interface ChainHead {
  /** `log_id` of the records; absent when there are none. */
  readonly logId?: string
  /** Records in the log; the next one gets this as its `seq`. */
  readonly size: number
  /** `hash` of the last record; absent when there are none. */
  readonly hash?: string
  /** What was set aside because a crash had damaged the end, if anything: the payload of `log_recovered`. */
  readonly recovered?: Recovered
  /** What the sink has to say in `log_open` beside the writer and its host. */
  readonly announce?: Readonly<Record<string, unknown>>
}

/** What a crash had left at the end of a log, and what had begun before and has no result. */
export interface Recovered {
  readonly offset: number
  readonly bytes: number
  readonly sha256: string
  /** `call_id` of each tool call that has no result in the file; at most 100. */
  readonly in_doubt?: readonly string[]
  /** How many there are beyond those. */
  readonly in_doubt_more?: number
}

/** What a log offers to its sinks. It may be called at any time, also after `close`. */
export interface SinkHost {
  /**
   * Says that this many records that were offered will never be delivered. Under the primary sink this
   * ends the log ({@link AuditUnavailable}); for every other sink the count goes into the primary
   * (`sink_dropped`).
   */
  dropped(count: number, cause?: unknown): void
  /**
   * Writes a record of the log itself: `log_open` when the records that follow go to another file, or what the
   * sink has to say about its own work. Only the primary sink is given this; it MUST NOT call it from within
   * `append`.
   *
   * @throws {@link AuditUnavailable} (ERR_AUDIT_UNAVAILABLE) when the record cannot be written.
   */
  readonly record?: (
    event: 'log_open' | 'log_pruned' | 'anchor_failed',
    payload: Readonly<Record<string, unknown>>,
  ) => void
}

/**
 * Where records go. Implement it for a destination of your own, and hold it to the suite in
 * `writ/testing`.
 *
 * A log has one **primary** sink, which decides whether anything may happen at all, and any number of
 * others, which can only lose what they are given and say so.
 */
export interface AuditSink {
  /** Names the sink in `sink_dropped`. */
  readonly name: string
  /** True when what `flush` has acknowledged survives the end of the process. */
  readonly durable: boolean
  /** True for a sink that is of no use beside another: what it has to say stands in the log itself. */
  readonly mustBePrimary?: boolean
  /** Highest `seq` known to be on stable storage; absent or −1 when the sink cannot know. */
  readonly syncedSeq?: number
  /**
   * Called once per log, before anything else; again only after `close`. Returns where the chain that it already holds ends, or `undefined`
   * for an empty destination. MUST throw when the destination cannot be written to.
   */
  open(host: SinkHost): ChainHead | undefined
  /**
   * Takes one record, in the order of `seq`. MUST NOT block and MUST NOT change the line. MUST throw when it does not
   * take the record; a record taken and lost afterwards MUST be reported to `host.dropped`.
   */
  append(record: SealedRecord): void
  /**
   * Resolves when every record taken so far is as durable as this sink promises, and MUST NOT resolve
   * before; rejects when that cannot be. `undefined` says that it already is.
   */
  flush(): Promise<void> | undefined
  /** As `flush`, for callers that cannot wait. MUST throw when the sink cannot do that synchronously. */
  flushSync(): void
  /** Delivers what is queued, within bounded time; what cannot be delivered is reported as dropped. */
  drain?(): Promise<void>
  /** Drains, then frees what the sink holds. No record is offered afterwards. Called once. */
  close(): Promise<void>
}

/** Several sinks under one chain: each receives the same sealed bytes. */
export interface CompositeSink {
  readonly sinks: readonly (AuditSink | CompositeSink)[]
}
