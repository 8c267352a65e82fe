import { AuditLocked, AuditUnavailable } from '../core/errors.js'
import { closeQuietly, type FileIo, MODE, unavailable, writeAll } from './file-open.js'
import { describeHolder, type FoundLock, findLock } from './lock-found.js'
import type { LockHost } from './lock-host.js'
import { encodeToken, type LockToken } from './lock-token.js'
import { unlinkQuietly } from './new-file.js'

/** The name under which the socket of a file is taken. */
export function socketName(identity: string): string {
  return `writ-log:${identity}`
}

/** Whoever has made this file is the one that looks at the lock file, and may put it in its place. */
export function nextPath(lockPath: string): string {
  return `${lockPath}.next`
}

/** A log that is being opened, and by whom. */
export interface Claimant {
  readonly io: FileIo
  readonly host: LockHost
  readonly logPath: string
  readonly lockPath: string
  readonly token: LockToken
}

/**
 * Puts the claimant's token into the lock file beside a log.
 *
 * The file `<log>.lock.next` can be made by one writer at a time. Whoever has made it looks at the lock file and,
 * when that has no living holder, renames its own over it. So no two writers replace one token, and what is read
 * is always whole. Ages are differences of two times of one file system: the clocks of two machines differ.
 *
 * The caller holds the socket of `token.identity`, where there are sockets.
 *
 * @returns a descriptor of the new lock file. While it is open, no other file gets its inode number.
 * @throws {@link AuditLocked} (ERR_AUDIT_LOCKED) when another writer has it, or must be taken to have it.
 * @throws {@link AuditUnavailable} (ERR_AUDIT_UNAVAILABLE) when it cannot be made.
 */
export function takeLockFile(claimant: Claimant): number {
  const { io, host, logPath, lockPath, token } = claimant
  const next = nextPath(lockPath)
  const fd = makeNext(claimant)
  try {
    const { error } = writeAll(io, fd, encodeToken(token))
    if (error !== undefined) throw error
    const found = findLock(io, lockPath)
    const nowMs = io.fstatSync(fd).mtimeMs
    if (found !== undefined && !isGone(claimant, found, nowMs)) {
      throw lockedBy(claimant, found, host.silentMs - (nowMs - found.seenMs))
    }
    renameIfThere(io, next, lockPath)
    // Another one may have taken this opening for one that was cut off, and have come first.
    if (findLock(io, lockPath)?.token?.id === token.id) return fd
    throw new AuditLocked(logPath, { holder: 'another writer, which opened it at the same moment' })
  } catch (cause) {
    removeNext(io, next, fd)
    closeQuietly(io, fd)
    throw cause instanceof AuditLocked ? cause : unavailable(lockPath, cause, logPath)
  }
}

function makeNext(claimant: Claimant): number {
  const { io, logPath, lockPath } = claimant
  const next = nextPath(lockPath)
  for (let attempt = 0; ; attempt++) {
    try {
      return make(io, next)
    } catch (cause) {
      if ((cause as { code?: unknown }).code !== 'EEXIST') throw notMade(claimant, cause)
    }
    const left = findLock(io, next)
    if (attempt > 0 || (left !== undefined && !isGone(claimant, left, fileSystemNow(claimant)))) {
      throw new AuditLocked(logPath, {
        holder: `${describeHolder(left)}, opening it at this moment`,
        advice: `; if none is, remove ${next}`,
      })
    }
    // Its maker was cut off between two calls. Of several that see this, one makes the next file.
    unlinkQuietly(io, next)
  }
}

function make(io: FileIo, path: string): number {
  const { O_RDWR, O_CREAT, O_EXCL, O_NOFOLLOW = 0 } = io.constants
  return io.openSync(path, O_RDWR | O_CREAT | O_EXCL | O_NOFOLLOW, MODE)
}

/** The time of the file system, which nothing but a new file tells. */
function fileSystemNow(claimant: Claimant): number {
  const { io, lockPath } = claimant
  const probe = `${lockPath}.now`
  let fd = -1
  try {
    // One may be left of a writer that was cut off here.
    unlinkQuietly(io, probe)
    fd = make(io, probe)
    return io.fstatSync(fd).mtimeMs
  } catch (cause) {
    if ((cause as { code?: unknown }).code !== 'EEXIST') throw notMade(claimant, cause)
    throw new AuditLocked(claimant.logPath, {
      holder: 'another writer, opening it at this moment',
      advice: '; try again',
    })
  } finally {
    if (fd !== -1) {
      closeQuietly(io, fd)
      unlinkQuietly(io, probe)
    }
  }
}

/** Whether the holder of a token is gone for certain, or has been silent for so long that it counts as gone. */
function isGone({ host, token: own }: Claimant, found: FoundLock, nowMs: number): boolean {
  const { token, isEmpty, seenMs } = found
  if (token === undefined && !isEmpty) return false
  if (token?.scope === undefined || token.scope !== host.scope) return nowMs - seenMs > host.silentMs
  // Within reach of its socket, whether its holder lives is known, however long it has been silent.
  if (token.identity === own.identity) return true
  const socket = host.takeSocket(socketName(token.identity))
  socket?.release()
  return socket !== undefined
}

function renameIfThere(io: FileIo, from: string, to: string): void {
  try {
    io.renameSync(from, to)
  } catch (cause) {
    if ((cause as { code?: unknown }).code !== 'ENOENT') throw cause
  }
}

/** Removes what was made under this name, unless it is somebody else's by now. */
function removeNext(io: FileIo, next: string, fd: number): void {
  try {
    if (io.lstatSync(next, { bigint: true }).ino === io.fstatSync(fd, { bigint: true }).ino)
      io.unlinkSync(next)
  } catch {
    // It was renamed already, or it is left for the next writer to judge.
  }
}

function lockedBy({ logPath, lockPath }: Claimant, found: FoundLock, leftMs: number): AuditLocked {
  if (found.token === undefined && !found.isEmpty) {
    return new AuditLocked(logPath, {
      holder: `unknown, as ${lockPath} is no lock file of this version`,
      advice: `; if no program uses that file, remove it`,
    })
  }
  return new AuditLocked(logPath, {
    holder: describeHolder(found),
    advice: `; if that one is certainly gone, wait ${Math.max(1, Math.ceil(leftMs / 1000))} s or remove ${lockPath}`,
  })
}

function notMade({ logPath, lockPath }: Claimant, cause: unknown): AuditUnavailable {
  const code = (cause as { code?: unknown } | null)?.code
  if (code !== 'EACCES' && code !== 'EPERM' && code !== 'EROFS') return unavailable(lockPath, cause, logPath)
  return new AuditUnavailable(
    `${logPath}: its lock file ${lockPath} cannot be made, and without it a second writer would go unnoticed; ` +
      `let this process make files in that folder (${code})`,
    { cause, path: logPath },
  )
}
