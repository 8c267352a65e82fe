import { closeQuietly, type FileIo } from './file-open.js'

/** Brings a file to stable storage and, when it is new, its name as well. @throws what the system says. */
export function syncFile(io: FileIo, fd: number, path: string, isNew: boolean): void {
  io.fsyncSync(fd)
  if (isNew) syncFolder(io, path)
}

/** Brings the names in the folder of `path` to stable storage. @throws what the system says. */
export function syncFolder(io: FileIo, path: string): void {
  let folder = -1
  try {
    folder = openFolder(io, path)
    io.fsyncSync(folder)
  } catch (cause) {
    if (isFatal(cause)) throw cause
  } finally {
    if (folder !== -1) closeQuietly(io, folder)
  }
}

/** As {@link syncFolder}, without stopping the process while the disk works. */
export async function syncFolderSoon(io: FileIo, path: string): Promise<void> {
  let folder = -1
  try {
    folder = openFolder(io, path)
    await fsyncSoon(io, folder)
  } catch (cause) {
    if (isFatal(cause)) throw cause
  } finally {
    if (folder !== -1) closeQuietly(io, folder)
  }
}

/** Brings a file to stable storage. Rejects with what the system says. */
export function fsyncSoon(io: FileIo, fd: number): Promise<void> {
  return new Promise((resolve, reject) => {
    io.fsync(fd, (error) => (error ? reject(error) : resolve()))
  })
}

function openFolder(io: FileIo, path: string): number {
  return io.openSync(path.replace(/[^/\\]*$/, '') || '.', io.constants.O_RDONLY)
}

/** Some systems do not open folders; theirs keep the name with the file. */
function isFatal(cause: unknown): boolean {
  return (cause as { code?: unknown }).code === 'EIO'
}
