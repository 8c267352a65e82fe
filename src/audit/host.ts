import { builtin } from '../core/runtime.js'

/** Where the records of a log come from, as far as the runtime says. */
export function describeHost(): Record<string, unknown> {
  const { process } = globalThis as { process?: { pid?: number; version?: string } }
  return {
    host: builtin<{ hostname(): string }>('os')?.hostname(),
    pid: process?.pid,
    node: process?.version,
  }
}
