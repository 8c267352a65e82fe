import { describe } from '../core/describe.js'
import { readCount, readFunction } from '../core/guards.js'
import type { ApprovalHandler, ApprovalStore } from './approval.js'
import { processStore } from './approval-store.js'

/** What an agent is told about approvals. */
export interface ApprovalOptions {
  /** Asks somebody about calls that need an approval. Without it, they are denied (`approval_unavailable`). */
  readonly approve?: ApprovalHandler
  /** Milliseconds to wait for an answer, at least 1. Default 300,000. */
  readonly approvalTimeoutMs?: number
  /**
   * True to stop the clock of a session (`wallMs`) while everything it has in flight waits for an approval.
   * Default false: the clock runs.
   */
  readonly approvalPausesWallMs?: boolean
  /** Authenticates the tokens of suspended calls: at least 32 bytes, the same in every process. */
  readonly approvalSecret?: string | Uint8Array
  /** Milliseconds that a suspended call may be decided, at least 1. Default 86,400,000, a day. */
  readonly approvalTokenTtlMs?: number
  /** Remembers which suspended calls have been decided. Default: in the memory of this process alone. */
  readonly approvalStore?: ApprovalStore
}

export const APPROVAL_OPTIONS: readonly (keyof ApprovalOptions)[] = [
  'approve',
  'approvalTimeoutMs',
  'approvalPausesWallMs',
  'approvalSecret',
  'approvalTokenTtlMs',
  'approvalStore',
]

/** Parsed options. */
export interface ApprovalSetup {
  readonly approve: ApprovalHandler | undefined
  /** The handler as the log names it. */
  readonly handler: string
  readonly timeoutMs: number
  readonly pausesWallMs: boolean
  readonly secret: Uint8Array | undefined
  readonly tokenTtlMs: number
  readonly store: ApprovalStore
}

const MIN_SECRET_BYTES = 32
const KIND = /^[A-Za-z0-9_.$:-]{1,64}$/
/** A thousand years: a moment further away is no date. */
const MAX_MS = 31_536_000_000_000

/**
 * @throws TypeError or RangeError for an option that is not usable; the message does not hold the secret.
 */
export function parseApprovals(given: { readonly [K in keyof ApprovalOptions]?: unknown }): ApprovalSetup {
  const { approve, approvalStore, approvalPausesWallMs } = given
  if (approvalPausesWallMs !== undefined && typeof approvalPausesWallMs !== 'boolean') {
    throw new TypeError(`approvalPausesWallMs: expected a boolean, got ${describe(approvalPausesWallMs)}`)
  }
  const handler = approve === undefined ? undefined : readFunction<ApprovalHandler>('approve', approve)
  return Object.freeze({
    approve: handler,
    handler: handler === undefined ? 'none' : kindOf(handler),
    timeoutMs: readDuration('approvalTimeoutMs', given.approvalTimeoutMs ?? 300_000),
    pausesWallMs: approvalPausesWallMs ?? false,
    secret: given.approvalSecret === undefined ? undefined : readSecret(given.approvalSecret),
    tokenTtlMs: readDuration('approvalTokenTtlMs', given.approvalTokenTtlMs ?? 86_400_000),
    store: approvalStore === undefined ? processStore : readStore(approvalStore),
  })
}

function readDuration(label: string, value: unknown): number {
  const durationMs = readCount(label, value, MAX_MS)
  if (durationMs < 1) throw new RangeError(`${label}: expected at least 1, got ${durationMs}`)
  return durationMs
}

function kindOf(handler: ApprovalHandler): string {
  const kind: unknown = Object.hasOwn(handler, 'kind') ? handler.kind : undefined
  if (kind === undefined) return 'callback'
  if (typeof kind !== 'string' || !KIND.test(kind)) {
    throw new TypeError(`approve.kind: expected 1 to 64 of A-Z a-z 0-9 _ . $ : -, got ${describe(kind)}`)
  }
  return kind
}

function readSecret(value: unknown): Uint8Array {
  if (typeof value !== 'string' && !(value instanceof Uint8Array)) {
    throw new TypeError('approvalSecret: expected a string or a Uint8Array')
  }
  const bytes = typeof value === 'string' ? new TextEncoder().encode(value) : Uint8Array.from(value)
  if (bytes.length < MIN_SECRET_BYTES) {
    throw new RangeError(
      `approvalSecret: expected at least ${MIN_SECRET_BYTES} bytes, got ${bytes.length}; use random ones`,
    )
  }
  return bytes
}

function readStore(value: unknown): ApprovalStore {
  const store = value as Partial<ApprovalStore> | null
  if (typeof store !== 'object' || typeof store?.claim !== 'function') {
    throw new TypeError(`approvalStore: expected an object with claim(), got ${describe(value)}`)
  }
  return store as ApprovalStore
}
