import { sha256Hex } from '../core/digest.js'
import type { PlainData } from '../core/json.js'

/** What an approval is for. */
export interface ApprovedCall {
  readonly tool: string
  /** The digest of the tool's definition. */
  readonly toolDigest: string
  readonly sessionId: string
  readonly callId: string
  readonly user: string
  readonly agent: string
  readonly cause: string | undefined
  /** The input as the tool receives it. */
  readonly input: PlainData
}

/** SHA-256 over one exact call: no two calls have the same. */
export function approvalDigest(call: ApprovedCall): string {
  const { tool, toolDigest, sessionId, callId, user, agent, cause, input } = call
  return sha256Hex(
    exactText(['writ-approval-v1', tool, toolDigest, sessionId, callId, user, agent, cause, input]),
  )
}

/**
 * Plain data as a text that no other data has. JSON with sorted members, but for what JSON would lose: `-0`,
 * bigints, `undefined` in an array and half surrogate pairs. A member that is `undefined` is no member.
 */
export function exactText(value: PlainData): string {
  switch (typeof value) {
    case 'bigint':
      return `${value}n`
    case 'number':
      return Object.is(value, -0) ? '-0' : String(value)
    case 'object': {
      if (value === null) return 'null'
      if (Array.isArray(value)) return `[${(value as readonly PlainData[]).map(exactText).join(',')}]`
      const members = value as { readonly [key: string]: PlainData }
      const names = Object.keys(members).filter((name) => members[name] !== undefined)
      return `{${names
        .sort()
        .map((name) => `${JSON.stringify(name)}:${exactText(members[name])}`)
        .join(',')}}`
    }
    default:
      return value === undefined ? 'undefined' : JSON.stringify(value)
  }
}
