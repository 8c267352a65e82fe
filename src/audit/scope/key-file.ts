import { bytesToHex, hexToBytes } from '@noble/hashes/utils.js'
import { ScopeKeyUnavailable } from '../../core/scope-key-unavailable.js'
import { newScopeKey } from './new-scope-key.js'
import type { ScopeKey } from './scope-key.js'

/** The part of `node:fs` that a folder of keys needs. */
export type KeyFileIo = Pick<
  typeof import('node:fs'),
  | 'openSync'
  | 'closeSync'
  | 'fstatSync'
  | 'statSync'
  | 'readFileSync'
  | 'writeFileSync'
  | 'fsyncSync'
  | 'linkSync'
  | 'unlinkSync'
  | 'readdirSync'
  | 'mkdirSync'
  | 'constants'
>

/** A key is for its owner's eyes. */
const MODE = 0o600
/** Permissions of the group and of everybody else. */
const OTHERS = 0o077

const MAX_BYTES = 1024
const CONTENT = /^\{"v":1,"id":"([0-9a-f]{32})","key":"([0-9a-f]{64})"\}\n$/

/** @throws {@link ScopeKeyUnavailable} when somebody else may read what `stat` is of. */
function assertPrivate(path: string, mode: number, remedy: string): void {
  const { process } = globalThis as { process?: { platform?: string } }
  // Windows has no such bits; there the access list of the folder decides.
  if (process?.platform === 'win32' || (mode & OTHERS) === 0) return
  throw new ScopeKeyUnavailable(path, `others may access it; ${remedy}, and take the keys as known`)
}

/**
 * The key in a file, or `undefined` where there is no such file.
 *
 * @throws {@link ScopeKeyUnavailable} when it cannot be read, others can read it, or it holds no key.
 */
export function readKeyFile(io: KeyFileIo, path: string): ScopeKey | undefined {
  const fd = openExisting(io, path, io.constants.O_RDONLY)
  if (fd === undefined) return undefined
  try {
    const stat = io.fstatSync(fd)
    if (!stat.isFile()) throw new ScopeKeyUnavailable(path, 'it is no regular file')
    assertPrivate(path, stat.mode, 'chmod 600')
    const text = stat.size > MAX_BYTES ? '' : io.readFileSync(fd, 'latin1')
    const [, id, key] = CONTENT.exec(text) ?? []
    if (id === undefined || key === undefined) {
      throw new ScopeKeyUnavailable(path, 'it holds no key: it is damaged, or was being destroyed')
    }
    return Object.freeze({ id, key: hexToBytes(key) })
  } catch (cause) {
    throw named(path, cause)
  } finally {
    io.closeSync(fd)
  }
}

/**
 * Makes a file with a new key, unless there is one by now: whoever comes first wins, and nobody ever sees a
 * file that is half written.
 *
 * @throws {@link ScopeKeyUnavailable} when it cannot be made.
 */
export function createKeyFile(io: KeyFileIo, folder: string, path: string): void {
  const { id, key } = newScopeKey()
  const { O_WRONLY, O_CREAT, O_EXCL, O_NOFOLLOW = 0 } = io.constants
  const draft = `${folder}/.new-${newScopeKey().id}`
  try {
    const fd = io.openSync(draft, O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW, MODE)
    try {
      try {
        io.writeFileSync(fd, `{"v":1,"id":"${id}","key":"${bytesToHex(key)}"}\n`)
        io.fsyncSync(fd)
      } finally {
        io.closeSync(fd)
      }
      // A rename would replace the key that somebody else has made meanwhile; a link does not.
      io.linkSync(draft, path)
    } finally {
      io.unlinkSync(draft)
    }
    syncFolder(io, folder)
  } catch (cause) {
    if (codeOf(cause) !== 'EEXIST') throw named(path, cause)
  }
}

/**
 * Overwrites a key, removes its file and brings both to stable storage. What a file that was copied, a
 * snapshot or a worn block of a disk holds is beyond its reach.
 *
 * @returns false when there is no such file.
 * @throws {@link ScopeKeyUnavailable} when it cannot: then the key is not destroyed, or not certainly.
 */
export function destroyKeyFile(io: KeyFileIo, folder: string, path: string): boolean {
  const fd = openExisting(io, path, io.constants.O_RDWR)
  if (fd === undefined) return false
  try {
    try {
      const stat = io.fstatSync(fd)
      if (!stat.isFile()) throw new ScopeKeyUnavailable(path, 'it is no regular file')
      // In place and by the same name: another name of the file, left by a crash, loses the key as well.
      io.writeFileSync(fd, new Uint8Array(Math.min(stat.size, MAX_BYTES)))
      io.fsyncSync(fd)
    } finally {
      io.closeSync(fd)
    }
    io.unlinkSync(path)
    syncFolder(io, folder)
    return true
  } catch (cause) {
    throw named(path, cause)
  }
}

/** The names in a folder. @throws {@link ScopeKeyUnavailable} when it cannot be read. */
export function namesIn(io: KeyFileIo, folder: string): readonly string[] {
  try {
    return io.readdirSync(folder)
  } catch (cause) {
    throw named(folder, cause)
  }
}

/**
 * Checks that the folder is one, and its owner's alone.
 *
 * @param create makes it where it is missing.
 * @throws {@link ScopeKeyUnavailable} when it is not.
 */
export function openFolder(io: KeyFileIo, folder: string, create: boolean): void {
  try {
    if (create) io.mkdirSync(folder, { recursive: true, mode: 0o700 })
    const stat = io.statSync(folder)
    if (!stat.isDirectory()) throw new ScopeKeyUnavailable(folder, 'it is no folder')
    assertPrivate(folder, stat.mode, 'chmod 700')
  } catch (cause) {
    throw named(folder, cause)
  }
}

function openExisting(io: KeyFileIo, path: string, flags: number): number | undefined {
  const { O_NOFOLLOW = 0, O_NONBLOCK = 0 } = io.constants
  try {
    return io.openSync(path, flags | O_NOFOLLOW | O_NONBLOCK)
  } catch (cause) {
    if (codeOf(cause) === 'ENOENT') return undefined
    throw named(path, cause)
  }
}

function syncFolder(io: KeyFileIo, folder: string): void {
  let fd = -1
  try {
    fd = io.openSync(folder, io.constants.O_RDONLY)
    io.fsyncSync(fd)
  } catch (cause) {
    // Some systems do not open folders; theirs keep the name with the file.
    if (codeOf(cause) === 'EIO') throw cause
  } finally {
    if (fd !== -1) io.closeSync(fd)
  }
}

function codeOf(cause: unknown): unknown {
  return (cause as { code?: unknown } | null)?.code
}

const ADVICE: { readonly [code: string]: string } = {
  ENOENT: 'there is no such file or folder',
  ENOTDIR: 'a part of the path is no folder',
  EEXIST: 'it is no folder',
  EACCES: 'this process may not access it',
  EPERM: 'this process may not access it, or its file system has no hard links',
  EROFS: 'the file system is read-only',
  ENOSPC: 'the disk is full',
  ELOOP: 'it is a symbolic link; name what it points to',
  EIO: 'the disk reports an error',
}

function named(path: string, cause: unknown): ScopeKeyUnavailable {
  if (cause instanceof ScopeKeyUnavailable) return cause
  const code = codeOf(cause)
  const text = typeof code === 'string' ? code : 'it failed'
  return new ScopeKeyUnavailable(path, Object.hasOwn(ADVICE, text) ? `${ADVICE[text]} (${text})` : text, {
    cause,
  })
}
