import { AuditLocked } from '../core/errors.js'
import { lockOnMachine, type MachineLock } from './machine-lock.js'

/** A file that this process writes to: what has to happen to it when the process exits. */
export interface OpenFile {
  readonly path: string
  /** Hands everything that is queued to the kernel, synchronously. MUST NOT throw. */
  flushOnExit(): void
}

interface Host {
  on(event: 'exit', listener: () => void): unknown
  off(event: 'exit', listener: () => void): unknown
}

/** Shared by every copy of this package in the process: two copies must not write to one file either. */
const REGISTRY = Symbol.for('writ.open-files')
type Holder = { [REGISTRY]?: Map<string, Claim> }

interface Claim {
  readonly file: OpenFile
  readonly lock: MachineLock
}

function openFiles(): Map<string, Claim> {
  const holder = globalThis as Holder
  holder[REGISTRY] ??= new Map()
  return holder[REGISTRY]
}

function flushAll(): void {
  for (const { file } of openFiles().values()) file.flushOnExit()
}

/**
 * Makes `file` the one writer of the file with this identity (device and inode): in this process, and on
 * Linux on this machine.
 *
 * @throws {@link AuditLocked} (ERR_AUDIT_LOCKED) when it has one already.
 */
export function claimFile(identity: string, file: OpenFile): void {
  const files = openFiles()
  const holder = files.get(identity)
  if (holder !== undefined)
    throw new AuditLocked(file.path, { holder: `this process, as ${holder.file.path}` })
  const lock = lockOnMachine(`writ-log:${identity}`)
  if (lock === undefined) throw new AuditLocked(file.path, { holder: 'another process or worker thread' })
  const { process } = globalThis as { process?: Host }
  if (files.size === 0) process?.on('exit', flushAll)
  files.set(identity, { file, lock })
}

/** Gives the file up. */
export function releaseFile(identity: string): void {
  const files = openFiles()
  const { process } = globalThis as { process?: Host }
  files.get(identity)?.lock.release()
  if (files.delete(identity) && files.size === 0) process?.off('exit', flushAll)
}
