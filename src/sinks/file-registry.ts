import { AuditLocked } from '../core/errors.js'

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
type Holder = { [REGISTRY]?: Map<string, Entry> }

interface Entry {
  readonly file: OpenFile
  /** MUST NOT throw. */
  leave(): void
}

function openFiles(): Map<string, Entry> {
  const holder = globalThis as Holder
  holder[REGISTRY] ??= new Map()
  return holder[REGISTRY]
}

function leaveAll(): void {
  for (const { file, leave } of openFiles().values()) {
    file.flushOnExit()
    leave()
  }
}

/**
 * Makes `file` the one writer in this thread of the file with this identity (device and inode).
 *
 * @param leave is called after the file was flushed, when the process exits.
 * @throws {@link AuditLocked} (ERR_AUDIT_LOCKED) when it has one already.
 */
export function enlist(identity: string, file: OpenFile, leave: () => void): void {
  const files = openFiles()
  const holder = files.get(identity)
  if (holder !== undefined)
    throw new AuditLocked(file.path, { holder: `this process, as ${holder.file.path}` })
  const { process } = globalThis as { process?: Host }
  if (files.size === 0) process?.on('exit', leaveAll)
  files.set(identity, { file, leave })
}

/** True when this thread has a writer of it. */
export function isEnlisted(identity: string): boolean {
  return openFiles().has(identity)
}

/** Takes a file off the list. */
export function strike(identity: string): void {
  const files = openFiles()
  const { process } = globalThis as { process?: Host }
  if (files.delete(identity) && files.size === 0) process?.off('exit', leaveAll)
}
