import { SigningKey } from '../audit/note/signing-key.js'
import { describe } from '../core/describe.js'
import { AuditUnavailable } from '../core/errors.js'
import { closeQuietly, type FileIo, unavailable } from './file-open.js'

const MAX_FILE_BYTES = 4096
const OTHERS = 0o077

/**
 * The private key that signs a log.
 *
 * @param key the key's text (`PRIVATE+KEY+…`), or the path of a file that holds it, which nobody but its owner
 * may read.
 * @throws TypeError when it is neither, saying nothing of what it holds.
 * @throws {@link AuditUnavailable} (ERR_AUDIT_UNAVAILABLE) when the file cannot be read, or others can read it.
 */
export function loadSigningKey(io: FileIo, key: unknown): SigningKey {
  if (typeof key !== 'string' || key === '') {
    throw new TypeError(`signing.key: expected the path or the text of a key, got ${describe(key)}`)
  }
  if (key.startsWith('PRIVATE+KEY+')) return SigningKey.parse(key.trim())
  return SigningKey.parse(readPrivateFile(io, key).trim())
}

function readPrivateFile(io: FileIo, path: string): string {
  let fd = -1
  try {
    fd = io.openSync(path, io.constants.O_RDONLY)
    const stat = io.fstatSync(fd)
    if (!stat.isFile()) throw new AuditUnavailable(`signing key ${path}: it is not a regular file`, { path })
    // Windows has no such bits, and says 0666 of everything.
    const { platform } = (globalThis as { process?: { platform?: string } }).process ?? {}
    if (platform !== 'win32' && (stat.mode & OTHERS) !== 0) {
      throw new AuditUnavailable(
        `signing key ${path}: others may read or change it; make it its owner's alone (chmod 600)`,
        { path },
      )
    }
    const bytes = new Uint8Array(MAX_FILE_BYTES)
    const length = io.readSync(fd, bytes, 0, MAX_FILE_BYTES, 0)
    return new TextDecoder().decode(bytes.subarray(0, length))
  } catch (cause) {
    throw cause instanceof AuditUnavailable ? cause : unavailable(`signing key ${path}`, cause)
  } finally {
    if (fd !== -1) closeQuietly(io, fd)
  }
}
