import type { Recovered } from '../audit/sink.js'
import { Sha256 } from '../core/digest.js'
import { callsInDoubt } from './calls-in-doubt.js'
import { closeQuietly, type FileIo, writeAll } from './file-open.js'
import { syncFile } from './file-sync.js'
import { chunksOf } from './log-scan.js'
import { openNewFile, unlinkQuietly } from './new-file.js'

/**
 * Sets crash damage aside: copies what follows `offset` into a file of its own, `<path>.torn-<offset>`, and only
 * when that is stored, cuts it off.
 *
 * @throws what the system says; the log is then as it was.
 */
export function setAside(io: FileIo, fd: number, path: string, offset: number): Recovered {
  const torn = openNewFile(io, `${path}.torn-${offset}`)
  const hash = new Sha256()
  let bytes = 0
  try {
    for (const chunk of chunksOf(io, fd, offset)) {
      const { error } = writeAll(io, torn.fd, chunk)
      if (error !== undefined) throw error
      hash.update(chunk)
      bytes += chunk.length
    }
    syncFile(io, torn.fd, path, true)
  } catch (cause) {
    unlinkQuietly(io, torn.path)
    throw cause
  } finally {
    closeQuietly(io, torn.fd)
  }
  const doubts = callsInDoubt(io, fd, offset)
  io.ftruncateSync(fd, offset)
  io.fsyncSync(fd)
  return { offset, bytes, sha256: hash.hex(), ...doubts }
}
