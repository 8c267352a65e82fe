import fs from 'node:fs'
import type { FileIo } from '../../src/sinks/file-open.js'

/** What a disk is to get wrong; every call counts, whatever its name. */
export interface DiskFaults {
  /** The call with this index, from 0, fails; so does no other. */
  readonly failAt?: number
  /** Only calls of these names count for `failAt`. */
  readonly among?: readonly string[]
  /** The `code` of its error. */
  readonly code?: string
  /** At most so many bytes per write. */
  readonly writeBytes?: number
  /** How many bytes can be written before the disk is full. */
  readonly freeBytes?: number
}

type Call = (...args: never[]) => unknown

/** The calls of {@link FileIo} that do something. */
const NAMES = [
  'openSync',
  'closeSync',
  'fstatSync',
  'readSync',
  'writeSync',
  'ftruncateSync',
  'fsyncSync',
  'fdatasyncSync',
  'fdatasync',
  'fsync',
  'lstatSync',
  'readdirSync',
  'renameSync',
  'unlinkSync',
  'renameSync',
] as const satisfies readonly (keyof FileIo)[]

function ioError(code: string, syscall: string): NodeJS.ErrnoException {
  return Object.assign(new TypeError(`${code}: injected into ${syscall}`), { code, syscall })
}

/**
 * The file system, with faults: real files, and a protocol of the calls. It knows how much of each file has
 * been synchronised, which is what a power cut would leave.
 */
export class Disk {
  readonly io: FileIo
  /** The name of every call as it began; a finished `fdatasync` adds `fdatasync done`. */
  readonly calls: string[] = []
  /** An asynchronous `fdatasync` does not begin before this. */
  syncGate: Promise<unknown> | undefined
  /** Called right before an asynchronous `fdatasync` calls back. */
  beforeSynced: (() => void) | undefined
  #faults: DiskFaults
  #counted = 0
  #freeBytes: number
  readonly #paths = new Map<number, string>()
  readonly #synced = new Map<string, number>()

  constructor(faults: DiskFaults = {}) {
    this.#faults = faults
    this.#freeBytes = faults.freeBytes ?? Number.POSITIVE_INFINITY
    const calls = NAMES.map((name) => [name, (...args: never[]): unknown => this.#call(name, args)] as const)
    this.io = { constants: fs.constants, ...Object.fromEntries(calls) } as unknown as FileIo
  }

  /** Calls that could have failed so far. */
  get counted(): number {
    return this.#counted
  }

  count(name: string): number {
    return this.calls.filter((call) => call === name).length
  }

  /** Bytes of a file that a power cut would leave. */
  syncedBytes(path: string): number {
    return this.#synced.get(path) ?? 0
  }

  /** From now on, the call with this index after now fails. */
  breakNext(code: string, among: readonly string[], index = 0): void {
    this.#counted = 0
    this.#faults = { ...this.#faults, failAt: index, among, code }
  }

  #call(name: (typeof NAMES)[number], args: never[]): unknown {
    this.calls.push(name)
    const error = this.#errorFor(name)
    const real = fs[name] as Call
    switch (name) {
      case 'openSync': {
        if (error !== undefined) throw error
        const fd = real(...args) as number
        this.#paths.set(fd, String(args[0]))
        return fd
      }
      case 'closeSync':
        // As on Linux: the descriptor is gone, whatever the call says.
        real(...args)
        if (error !== undefined) throw error
        return undefined
      case 'writeSync':
        return this.#write(args as unknown as [number, Uint8Array, number, number], error)
      case 'fsyncSync':
      case 'fdatasyncSync': {
        if (error !== undefined) throw error
        const [fd] = args as unknown as [number]
        const size = this.#sizeOf(fd)
        real(...args)
        this.#mark(fd, size)
        return undefined
      }
      case 'fdatasync':
        return this.#sync(args as unknown as [number, (error: Error | null) => void], error)
      case 'fsync': {
        const [fd, done] = args as unknown as [number, (error: Error | null) => void]
        if (error !== undefined) setImmediate(() => done(error))
        else fs.fsync(fd, done)
        return undefined
      }
      default:
        if (error !== undefined) throw error
        return real(...args)
    }
  }

  #write(
    [fd, bytes, offset, length]: [number, Uint8Array, number, number],
    error: Error | undefined,
  ): number {
    if (error !== undefined) throw error
    if (this.#freeBytes <= 0) throw ioError('ENOSPC', 'write')
    const asked = Math.min(length, this.#faults.writeBytes ?? length, this.#freeBytes)
    const written = fs.writeSync(fd, bytes, offset, asked)
    this.#freeBytes -= written
    return written
  }

  #sync([fd, done]: [number, (error: Error | null) => void], fault: Error | undefined): void {
    const size = this.#sizeOf(fd)
    const finish = (error: Error | null): void => {
      this.beforeSynced?.()
      this.calls.push('fdatasync done')
      if (error === null) this.#mark(fd, size)
      done(error)
    }
    const start = (): void => {
      if (fault !== undefined) finish(fault)
      else fs.fdatasync(fd, (error) => finish(error))
    }
    if (this.syncGate !== undefined) void this.syncGate.then(start)
    else if (fault === undefined) start()
    else setImmediate(start)
  }

  #sizeOf(fd: number): number {
    return fs.fstatSync(fd).size
  }

  #mark(fd: number, size: number): void {
    const path = this.#paths.get(fd) ?? ''
    this.#synced.set(path, Math.max(size, this.syncedBytes(path)))
  }

  #errorFor(name: string): Error | undefined {
    const { failAt, among, code = 'EIO' } = this.#faults
    if (among !== undefined && !among.includes(name)) return undefined
    const isDue = this.#counted === failAt
    this.#counted += 1
    return isDue ? ioError(code, name) : undefined
  }
}
