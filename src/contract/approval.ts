import type { DenialReason } from '../core/denial-reason.js'

/** Why a call that needs an approval was denied. */
export type ApprovalDenial = Extract<DenialReason, `approval_${string}`>

/** A call as somebody is asked to approve it: plain data, frozen. */
export interface ApprovalRequest {
  /** The id of the call, unique over all logs. */
  readonly id: string
  readonly tool: string
  /** The input as the log shows it (`args`): what the tool's `redact` made of it, or the names of its members. */
  readonly input: unknown
  readonly user: string
  readonly task?: string
  readonly sessionId: string
  /** The identity of the agent. */
  readonly agent: string
  /** `<agent>@<sessionId>` */
  readonly principal: string
  /** Why an approval is asked for, where it is not the tool's own rule. */
  readonly cause?: string
  /** SHA-256 over the exact call, in hexadecimal. An answer with this digest is for this call and no other. */
  readonly digest: string
  /** Milliseconds since the Unix epoch. */
  readonly requestedAt: number
  /** Milliseconds since the Unix epoch: no answer counts from then on. */
  readonly expiresAt: number
}

/** What somebody says to an {@link ApprovalRequest}. Anything else is no answer, and denies. */
export interface ApprovalAnswer {
  readonly approved: boolean
  /** Who decided: 1 to 256 characters, and neither the agent nor one of its principals. Logged. */
  readonly by: string
  /** Why, up to 512 characters. Logged as it is. */
  readonly reason?: string
  /** Milliseconds since the Unix epoch: from then on a tool that has not started does not. */
  readonly expiresAt?: number
  /** The digest of the request that this answers; where it is there, it has to be that one. */
  readonly digest?: string
}

/** Asks somebody. In a synchronous session it has to answer without a promise. */
export interface ApprovalHandler {
  (
    request: ApprovalRequest,
    /** `signal` is aborted when the answer is no longer wanted: too late, or the call is over. */
    context: { readonly signal: AbortSignal },
  ): ApprovalAnswer | PromiseLike<ApprovalAnswer>
  /** Names the handler in the log: 1 to 64 of `A-Z a-z 0-9 _ . $ : -`. `callback` when absent. */
  readonly kind?: string
}

/** Remembers which suspended calls have been decided. */
export interface ApprovalStore {
  /**
   * Takes the call with this id, once: `true` the first time, `false` ever after, whichever process asks.
   * Anything else, or a throw, refuses the call.
   *
   * @param expiresAtMs milliseconds since the Unix epoch: from then on nobody asks for this id any more.
   */
  claim(id: string, expiresAtMs: number): boolean | PromiseLike<boolean>
}

const FAILURES: ReadonlySet<unknown> = new Set<ApprovalDenial>([
  'approval_denied',
  'approval_timeout',
  'approval_error',
  'approval_unavailable',
  'approval_expired',
  'approval_mismatch',
])

/** Survives two copies of the package in one process, where `instanceof` does not. */
const BRAND = Symbol.for('writ.approval-failure')

/**
 * Thrown by an {@link ApprovalHandler} that cannot get an answer: the call is denied for this reason. What
 * else a handler throws denies it as `approval_error`.
 *
 * @example
 * if (!line.isOpen) throw new ApprovalFailure('approval_unavailable', 'nobody is on call')
 */
export class ApprovalFailure extends Error {
  override readonly name = 'ApprovalFailure'
  readonly reason: ApprovalDenial

  constructor(reason: ApprovalDenial, message: string, options?: ErrorOptions) {
    super(message, options)
    this.reason = reason
  }

  static {
    Object.defineProperty(ApprovalFailure.prototype, BRAND, { value: true })
  }
}

/** The reason for a denial that a handler named, `approval_error` for whatever else it threw. */
export function failureReason(thrown: unknown): ApprovalDenial {
  try {
    if ((thrown as { [BRAND]?: unknown } | null | undefined)?.[BRAND] === true) {
      const { reason } = thrown as ApprovalFailure
      if (FAILURES.has(reason)) return reason
    }
  } catch {
    // An error that throws when it is read says nothing.
  }
  return 'approval_error'
}
