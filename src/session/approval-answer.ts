import type { ApprovalDenial } from '../contract/approval.js'
import { describe } from '../core/describe.js'
import { readOptions, readText } from '../core/guards.js'
import type { SessionCore } from './core.js'

const MAX_BY = 256
const MAX_REASON = 512

/** What an answer comes to. */
export interface Verdict {
  readonly outcome: 'approved' | ApprovalDenial
  readonly by: string | undefined
  readonly reason: string | undefined
  /** Milliseconds for which an approval holds, `Infinity` for no end. */
  readonly validForMs: number
  readonly cause: unknown
}

/** A verdict that nobody gave. */
export function unanswered(outcome: ApprovalDenial, cause?: unknown): Verdict {
  return { outcome, by: undefined, reason: undefined, validForMs: 0, cause }
}

/**
 * Reads an answer once: own members only, each of them known. Only `approved: true`, by somebody who is not
 * the agent, still valid and for this digest, approves.
 *
 * @param isBound false when the answer has to say which call it is for, because it did not come with the call.
 */
export function judge(core: SessionCore, digest: string, answer: unknown, isBound = true): Verdict {
  let given: { readonly [K in (typeof MEMBERS)[number]]?: unknown }
  let by: string
  let reason: string | undefined
  try {
    given = readOptions('approval', answer, MEMBERS)
    by = readText('approval.by', given.by, MAX_BY)
    reason = readReason(given.reason)
    if (typeof given.approved !== 'boolean') {
      throw new TypeError(`approval.approved: expected a boolean, got ${describe(given.approved)}`)
    }
    if (given.expiresAt !== undefined && !Number.isFinite(given.expiresAt)) {
      throw new TypeError(`approval.expiresAt: expected milliseconds, got ${describe(given.expiresAt)}`)
    }
    if (given.digest !== undefined && typeof given.digest !== 'string') {
      throw new TypeError(`approval.digest: expected a string, got ${describe(given.digest)}`)
    }
  } catch (cause) {
    return unanswered('approval_error', cause)
  }
  const expiresAt = given.expiresAt as number | undefined
  const validForMs = expiresAt === undefined ? Number.POSITIVE_INFINITY : expiresAt - core.agent.clock.nowMs()
  const isOther = given.digest === undefined ? !isBound : given.digest !== digest
  const outcome = isOther ? 'approval_mismatch' : outcomeOf(core, given.approved as boolean, by, validForMs)
  return { outcome, by, reason, validForMs, cause: undefined }
}

const MEMBERS = ['approved', 'by', 'reason', 'expiresAt', 'digest'] as const

function outcomeOf(core: SessionCore, approved: boolean, by: string, validForMs: number): Verdict['outcome'] {
  if (!approved) return 'approval_denied'
  if (isAgent(core, by)) return 'approval_by_agent'
  return validForMs > 0 ? 'approved' : 'approval_expired'
}

function readReason(value: unknown): string | undefined {
  if (value === undefined) return undefined
  if (typeof value !== 'string')
    throw new TypeError(`approval.reason: expected a string, got ${describe(value)}`)
  return value.slice(0, MAX_REASON)
}

/** The agent of the call, or of a session that it is nested in: under its identity, or as any of its principals. */
function isAgent(core: SessionCore, by: string): boolean {
  const name = by.normalize('NFKC').trim().toLowerCase()
  for (let node: SessionCore | undefined = core; node !== undefined; node = node.parent) {
    const { identity } = node.agent
    if (name === identity || name.startsWith(`${identity}@`)) return true
  }
  return false
}
