import { type FileIo, MODE } from './file-open.js'

/** Somebody who needs so many has another problem. */
const MAX_FILES = 1000

/**
 * A file that was not there before: `name`, or `name.1`, `name.2`, … where it is taken. One may be left from
 * work that was itself cut off.
 *
 * @throws what the system says.
 */
export function openNewFile(io: FileIo, name: string): { fd: number; path: string } {
  const { O_WRONLY, O_CREAT, O_EXCL, O_NOFOLLOW = 0 } = io.constants
  for (let attempt = 0; ; attempt++) {
    const path = attempt === 0 ? name : `${name}.${attempt}`
    try {
      return { fd: io.openSync(path, O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW, MODE), path }
    } catch (cause) {
      if ((cause as { code?: unknown }).code !== 'EEXIST' || attempt === MAX_FILES) throw cause
    }
  }
}

/** Removes a file, if it can be: what is left lies about and does no harm. */
export function unlinkQuietly(io: FileIo, path: string): void {
  try {
    io.unlinkSync(path)
  } catch {
    // As said.
  }
}
