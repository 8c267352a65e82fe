import { describe } from '../core/describe.js'
import type { AuditSink, CompositeSink } from './sink.js'

const METHODS = [
  'open',
  'append',
  'flush',
  'flushSync',
  'close',
] as const satisfies readonly (keyof AuditSink)[]

/** @throws TypeError when `value` is no sink, saying what it lacks. */
export function parseSink(label: string, value: unknown): AuditSink | CompositeSink {
  if (typeof value !== 'object' || value === null) {
    throw new TypeError(`${label}: expected an AuditSink, got ${describe(value)}`)
  }
  if (Array.isArray((value as Partial<CompositeSink>).sinks)) return value as CompositeSink
  const sink = value as Partial<AuditSink>
  for (const method of METHODS) {
    if (typeof sink[method] !== 'function')
      throw new TypeError(`${label}: expected an AuditSink, and ${method} is no function`)
  }
  if (typeof sink.name !== 'string' || typeof sink.durable !== 'boolean') {
    throw new TypeError(`${label}: expected an AuditSink with a name and durable: boolean`)
  }
  return value as AuditSink
}
