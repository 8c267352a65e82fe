import { AuditUnavailable, WritError } from '../core/errors.js'

/** What a sink that failed said, if it said anything. */
export function messageOf(cause: unknown): string {
  return cause instanceof Error ? cause.message : 'a sink failed'
}

/** The failure of a sink as the failure of its log. */
export function toUnavailable(message: string, cause: unknown): AuditUnavailable {
  if (cause instanceof AuditUnavailable) return cause
  const path = WritError.isInstance(cause) ? (cause as { path?: string }).path : undefined
  return new AuditUnavailable(message, { cause, ...(path === undefined ? {} : { path }) })
}
