import { AuditLocked } from '../core/errors.js'
import { type FileIo, unavailable } from './file-open.js'
import { isEnlisted } from './file-registry.js'
import { describeHolder, findLock } from './lock-found.js'
import { thisHost } from './lock-host.js'
import { socketName } from './lock-takeover.js'

/**
 * Refuses a log whose writer is known to live, before any of its files is opened.
 *
 * While that writer begins a new file, whoever opens the same path would make that file first, or take its
 * socket: the one that is refused would end the one that has every right. The claim decides all other cases.
 *
 * @param path of the log; absolute.
 * @param name what errors call it.
 * @throws {@link AuditLocked} (ERR_AUDIT_LOCKED)
 * @throws {@link AuditUnavailable} (ERR_AUDIT_UNAVAILABLE) when the lock file cannot be read.
 */
export function refuseHeldLog(io: FileIo, path: string, name: string): void {
  const host = io.lockHost ?? thisHost()
  const found = readLock(io, `${path}.lock`, name)
  const { token } = found ?? {}
  if (token?.scope === undefined || token.scope !== host.scope || isEnlisted(token.identity)) return
  const socket = host.takeSocket(socketName(token.identity))
  socket?.release()
  if (socket === undefined) throw new AuditLocked(name, { holder: describeHolder(found) })
}

function readLock(io: FileIo, lockPath: string, name: string): ReturnType<typeof findLock> {
  try {
    return findLock(io, lockPath)
  } catch (cause) {
    throw unavailable(lockPath, cause, name)
  }
}
