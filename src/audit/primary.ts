import { WritError } from '../core/errors.js'
import { messageOf, toUnavailable } from './failure.js'
import type { AuditSink, ChainHead, CompositeSink, SinkHost } from './sink.js'

/**
 * Who decides, and who is merely told: the first durable sink is the primary, else the first.
 *
 * @throws TypeError when there is none at all, or one that has to decide and does not.
 */
export function arrange(sink: AuditSink | CompositeSink): { primary: AuditSink; others: AuditSink[] } {
  const all = flatten(sink)
  const primary = all.find((candidate) => candidate.durable) ?? all[0]
  if (primary === undefined) throw new TypeError('audit: a composite needs at least one sink')
  const others = all.filter((other) => other !== primary)
  const lost = others.find(({ mustBePrimary }) => mustBePrimary === true)
  if (lost !== undefined) {
    throw new TypeError(
      `audit: ${lost.name} has rotation, and only the first durable sink of a log can rotate`,
    )
  }
  return { primary, others }
}

/** @throws {@link AuditUnavailable} (ERR_AUDIT_UNAVAILABLE), or another error of this package as it is. */
export function openPrimary(primary: AuditSink, host: SinkHost): ChainHead | undefined {
  try {
    return primary.open(host)
  } catch (cause) {
    throw WritError.isInstance(cause) ? cause : toUnavailable(messageOf(cause), cause)
  }
}

function flatten(sink: AuditSink | CompositeSink): AuditSink[] {
  return 'sinks' in sink ? sink.sinks.flatMap(flatten) : [sink]
}
