import { parseSink } from '../audit/parse-sink.js'
import type { AuditSink, CompositeSink } from '../audit/sink.js'

/**
 * Several sinks under one chain. The first durable one is the primary, else the first: it decides whether
 * anything may happen at all. The others can only lose what they are given, and what they lose is counted
 * in the primary (`sink_dropped`).
 *
 * @throws TypeError for no sink at all, or for something that is no sink.
 */
export function compositeSink(...sinks: (AuditSink | CompositeSink)[]): CompositeSink {
  if (sinks.length === 0) throw new TypeError('AuditSink.composite: needs at least one sink')
  return Object.freeze({
    sinks: Object.freeze(sinks.map((sink, index) => parseSink(`AuditSink.composite: sink ${index}`, sink))),
  })
}
