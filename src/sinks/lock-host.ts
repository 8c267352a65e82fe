import { builtin } from '../core/runtime.js'
import { lockOnMachine, type MachineLock } from './machine-lock.js'

/** Where a writer runs, and what it can know there about other writers; tests put another place in its place. */
export interface LockHost {
  readonly host: string
  readonly pid: number
  /**
   * The kernel and the network namespace, on Linux. Two writers with the same one see each other's sockets,
   * and those alone decide between them. `undefined` where there are no such sockets.
   */
  readonly scope: string | undefined
  /** A writer that has not been heard of for so long counts as gone, where no socket says so, in milliseconds. */
  readonly silentMs: number
  /** How often a writer is heard of, in milliseconds. */
  readonly beatMs: number
  /** @see {@link lockOnMachine} */
  takeSocket(name: string): MachineLock | undefined
}

/**
 * Far more than an event loop is blocked for (a minute), a beat, and what a network file system may keep old
 * times in its cache (a minute), together.
 */
const SILENT_MS = 300_000
const BEAT_MS = 20_000

type Fs = Pick<typeof import('node:fs'), 'readFileSync' | 'readlinkSync'>

/** This process. */
export function thisHost(): LockHost {
  const { process } = globalThis as { process?: { pid?: number; platform?: string } }
  return {
    host: (builtin<{ hostname(): string }>('os')?.hostname() ?? '').replace(/[^\w.-]/g, '').slice(0, 64),
    pid: process?.pid ?? 0,
    scope: process?.platform === 'linux' ? scopeOnLinux() : undefined,
    silentMs: SILENT_MS,
    beatMs: BEAT_MS,
    takeSocket: lockOnMachine,
  }
}

function scopeOnLinux(): string | undefined {
  const fs = builtin<Fs>('fs')
  if (fs === undefined || builtin('net') === undefined) return undefined
  try {
    const boot = fs.readFileSync('/proc/sys/kernel/random/boot_id', 'utf8').trim()
    const scope = `${boot} ${fs.readlinkSync('/proc/self/ns/net')}`
    // Where /proc is not the kernel's own, it says nothing about sockets.
    return /^[0-9a-f-]{36} net:\[\d+\]$/.test(scope) ? scope : undefined
  } catch {
    return undefined
  }
}
