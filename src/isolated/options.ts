import { describe } from '../core/describe.js'
import { RuntimeUnsupported } from '../core/errors.js'
import { readCount, readOptions, readText } from '../core/guards.js'
import { builtin } from '../core/runtime.js'

/** How an isolated tool runs. */
export interface IsolatedOptions {
  /** The export of the module that is the tool; `default` when absent. */
  readonly name?: string
  /**
   * True for a child process instead of a worker thread: slower to start, and it can be ended whatever it does.
   * When absent, true with `memoryMb` and false otherwise.
   */
  readonly process?: boolean
  /**
   * Megabytes of memory, from 16, in the JavaScript heap and outside of it. More ends the tool with
   * {@link ToolCrashed} (`memory`). Only of a process: a thread that uses up its heap can take the host with it.
   * No limit but the engine's when absent.
   */
  readonly memoryMb?: number
  /** Names of environment variables that it may see, with the values they have now. None when absent. */
  readonly env?: readonly string[]
  /** What becomes of what it writes to stdout and stderr; `ignore` when absent. It has no stdin. */
  readonly stdio?: 'ignore' | 'inherit'
  /** Workers or processes that are kept ready, from the beginning; 0 when absent: the first call starts one. */
  readonly min?: number
  /** Workers or processes at once, from 1; 4 when absent. Further calls wait in order, and their time runs. */
  readonly max?: number
  /** Milliseconds after which an idle worker beyond `min` is ended; 30 000 when absent. */
  readonly idleMs?: number
  /** Calls after which a worker is replaced, from 1. With 1, no call sees anything of one before. No limit when absent. */
  readonly maxCallsPerWorker?: number
  /** Milliseconds between the abort of the tool's own signal and its end; 0 when absent: it is ended at once. */
  readonly graceMs?: number
  /** Bytes of JSON that it may return; 1 MiB when absent. */
  readonly maxOutputBytes?: number
}

/** Options with every member present. */
export interface IsolatedSettings {
  readonly url: string
  readonly name: string
  readonly process: boolean
  readonly memoryMb: number | undefined
  readonly env: Readonly<Record<string, string>>
  readonly inherit: boolean
  readonly min: number
  readonly max: number
  readonly idleMs: number
  readonly maxCallsPerWorker: number
  readonly graceMs: number
  readonly maxOutputBytes: number
}

const KNOWN = [
  'name',
  'process',
  'memoryMb',
  'env',
  'stdio',
  'min',
  'max',
  'idleMs',
  'maxCallsPerWorker',
  'graceMs',
  'maxOutputBytes',
] as const satisfies readonly (keyof IsolatedOptions)[]

/** Variables that would let the environment decide what Node itself loads, or that belong to its channel. */
const NEVER_PASSED = /^NODE_(?:OPTIONS|CHANNEL_.*)$/i
const MIN_MEMORY_MB = 16
const MAX_MEMORY_MB = 1_048_576
const MAX_WORKERS = 1024

/** @throws TypeError or RangeError for a module or an option that is not usable, saying which. */
export function parseIsolated(module: unknown, options: unknown): IsolatedSettings {
  const given = readOptions('isolated', options, KNOWN)
  const { stdio } = given
  if (stdio !== undefined && stdio !== 'ignore' && stdio !== 'inherit') {
    throw new RangeError(`isolated.stdio: expected 'ignore' or 'inherit', got ${describe(stdio)}`)
  }
  const min = given.min === undefined ? 0 : readCount('isolated.min', given.min, MAX_WORKERS)
  const max = atLeast('isolated.max', given.max, 1, MAX_WORKERS) ?? Math.max(4, min)
  const memoryMb = atLeast('isolated.memoryMb', given.memoryMb, MIN_MEMORY_MB, MAX_MEMORY_MB)
  const process = readFlag('isolated.process', given.process, memoryMb !== undefined)
  if (memoryMb !== undefined && !process) {
    throw new RangeError(
      'isolated.memoryMb: only a process has a limit; a thread that uses up its heap can end the host (process: true)',
    )
  }
  if (min > max) throw new RangeError(`isolated.min: expected at most max (${max}), got ${min}`)
  return Object.freeze({
    url: parseModule(module),
    name: given.name === undefined ? 'default' : readText('isolated.name', given.name, 256),
    process,
    memoryMb,
    env: readEnv(given.env),
    inherit: stdio === 'inherit',
    min,
    max,
    idleMs: given.idleMs === undefined ? 30_000 : readCount('isolated.idleMs', given.idleMs),
    maxCallsPerWorker:
      atLeast('isolated.maxCallsPerWorker', given.maxCallsPerWorker, 1) ?? Number.POSITIVE_INFINITY,
    graceMs: given.graceMs === undefined ? 0 : readCount('isolated.graceMs', given.graceMs),
    maxOutputBytes: atLeast('isolated.maxOutputBytes', given.maxOutputBytes, 1) ?? 1_048_576,
  })
}

function parseModule(module: unknown): string {
  if (typeof module !== 'string' && !(module instanceof URL)) {
    throw new TypeError(
      `isolated: expected the URL of a module, new URL('./tool.js', import.meta.url), got ${describe(module)}`,
    )
  }
  if (!URL.canParse(String(module))) {
    throw new TypeError(
      `isolated: ${describe(module)} is no absolute URL; use new URL('./tool.js', import.meta.url)`,
    )
  }
  const { href, protocol } = new URL(String(module))
  if (protocol !== 'file:' && protocol !== 'data:') {
    throw new RangeError(`isolated: expected a file: or data: URL, got ${describe(href)}`)
  }
  return href
}

function readFlag(label: string, value: unknown, absent: boolean): boolean {
  if (value === undefined) return absent
  if (typeof value !== 'boolean') throw new TypeError(`${label}: expected a boolean, got ${describe(value)}`)
  return value
}

function atLeast(label: string, value: unknown, least: number, most?: number): number | undefined {
  if (value === undefined) return undefined
  const count = readCount(label, value, most)
  if (count < least) throw new RangeError(`${label}: expected at least ${least}, got ${count}`)
  return count
}

function readEnv(names: unknown): Readonly<Record<string, string>> {
  const passed: Record<string, string> = Object.create(null)
  if (names === undefined) return passed
  if (!Array.isArray(names))
    throw new TypeError(`isolated.env: expected an array of names, got ${describe(names)}`)
  const host = builtin<{ env: Readonly<Record<string, string | undefined>> }>('process')
  if (host === undefined) throw new RuntimeUnsupported('isolated.env', 'an environment')
  for (const name of names as unknown[]) {
    const variable = readText('isolated.env', name, 256)
    if (NEVER_PASSED.test(variable))
      throw new RangeError(`isolated.env: ${describe(variable)} is never passed to a tool`)
    const value = host.env[variable]
    if (value !== undefined) passed[variable] = value
  }
  return passed
}
