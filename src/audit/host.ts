import { encodeJson } from '../core/json-text.js'
import { builtin } from '../core/runtime.js'
import { VERSION } from '../core/version.js'

/** The payload of `log_open`: who writes, where, as far as the runtime says, and what the sink adds. */
export function openingPayload(members: Readonly<Record<string, unknown>> = {}): string {
  const { process } = globalThis as { process?: { pid?: number; version?: string } }
  return encodeJson({
    writer: 'writ',
    version: VERSION,
    host: builtin<{ hostname(): string }>('os')?.hostname(),
    pid: process?.pid,
    node: process?.version,
    ...members,
  })
}
