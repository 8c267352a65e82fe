import { closeQuietly, type FileIo, MODE, writeAll } from './file-open.js'
import { fsyncSoon, syncFolder, syncFolderSoon } from './file-sync.js'
import { openNewFile, unlinkQuietly } from './new-file.js'

/** More than any checkpoint with a few signatures needs. */
const MAX_BYTES = 64 * 1024
/** A cut entry is shorter than a whole one. What is longer is not of our making, and not ours to remove. */
const MAX_CUT_BYTES = 4096
const decoder = new TextDecoder('utf-8', { fatal: true, ignoreBOM: true })
const encoder = new TextEncoder()

/**
 * The checkpoints of a log, beside it: the newest in `<log>.checkpoint`, and all of them in
 * `<log>.checkpoints`, each followed by an empty line.
 */
export class Sidecar {
  readonly path: string
  readonly #io: FileIo
  readonly #history: string

  constructor(io: FileIo, logPath: string) {
    this.#io = io
    this.path = `${logPath}.checkpoint`
    this.#history = `${logPath}.checkpoints`
  }

  /** The newest checkpoint; `undefined` when there is none. @throws what the system says. */
  read(): string | undefined {
    if (this.#io.lstatSync(this.path, { throwIfNoEntry: false }) === undefined) return undefined
    const { O_RDONLY, O_NOFOLLOW = 0, O_NONBLOCK = 0 } = this.#io.constants
    const fd = this.#io.openSync(this.path, O_RDONLY | O_NOFOLLOW | O_NONBLOCK)
    try {
      return decoder.decode(this.#readTail(fd).bytes)
    } finally {
      closeQuietly(this.#io, fd)
    }
  }

  /** Tidies up after a writer that was cut off: half an entry of the history, half a new checkpoint. */
  repair(): void {
    unlinkQuietly(this.#io, `${this.path}.new`)
    const fd = this.#openHistory()
    try {
      const { bytes, start } = this.#readTail(fd)
      const end = endOfEntries(bytes)
      const cut = bytes.length - end
      if (cut > 0 && cut <= MAX_CUT_BYTES) this.#io.ftruncateSync(fd, start + end)
    } finally {
      closeQuietly(this.#io, fd)
    }
  }

  /**
   * Puts a checkpoint in the place of the one before, without an instant in which there is none, and adds it to
   * the history.
   *
   * @throws what the system says.
   */
  replace(note: string): void {
    const temporary = this.#write(note)
    try {
      this.#io.fsyncSync(temporary.fd)
    } finally {
      closeQuietly(this.#io, temporary.fd)
    }
    this.#publish(temporary.path, note)
    syncFolder(this.#io, this.path)
  }

  /**
   * As {@link replace}, without stopping the process while the disk works.
   *
   * @param isNewest asked right before the change: a newer one may have come first.
   */
  async replaceSoon(note: string, isNewest: () => boolean): Promise<void> {
    const temporary = this.#write(note)
    try {
      await fsyncSoon(this.#io, temporary.fd)
    } finally {
      closeQuietly(this.#io, temporary.fd)
    }
    if (!isNewest()) return unlinkQuietly(this.#io, temporary.path)
    this.#publish(temporary.path, note)
    await syncFolderSoon(this.#io, this.path)
  }

  #write(note: string): { fd: number; path: string } {
    const temporary = openNewFile(this.#io, `${this.path}.new`)
    const { error } = writeAll(this.#io, temporary.fd, encoder.encode(note))
    if (error === undefined) return temporary
    closeQuietly(this.#io, temporary.fd)
    unlinkQuietly(this.#io, temporary.path)
    throw error
  }

  #publish(temporary: string, note: string): void {
    this.#io.renameSync(temporary, this.path)
    const fd = this.#openHistory()
    try {
      const { error } = writeAll(this.#io, fd, encoder.encode(`${note}\n`))
      if (error !== undefined) throw error
    } finally {
      closeQuietly(this.#io, fd)
    }
  }

  #openHistory(): number {
    const { O_RDWR, O_CREAT, O_APPEND, O_NOFOLLOW = 0, O_NONBLOCK = 0 } = this.#io.constants
    return this.#io.openSync(this.#history, O_RDWR | O_CREAT | O_APPEND | O_NOFOLLOW | O_NONBLOCK, MODE)
  }

  #readTail(fd: number): { bytes: Uint8Array; start: number } {
    const bytes = new Uint8Array(MAX_BYTES)
    const start = Math.max(0, this.#io.fstatSync(fd).size - MAX_BYTES)
    return { bytes: bytes.subarray(0, this.#io.readSync(fd, bytes, 0, MAX_BYTES, start)), start }
  }
}

/** Where the last whole entry ends: after a signature and an empty line. */
function endOfEntries(bytes: Uint8Array): number {
  const text = Array.from(bytes, (byte) => String.fromCharCode(byte)).join('')
  const EM_DASH = '\xe2\x80\x94 '
  for (let end = text.lastIndexOf('\n\n'); end > 0; end = text.lastIndexOf('\n\n', end - 1)) {
    if (text.startsWith(EM_DASH, text.lastIndexOf('\n', end - 1) + 1)) return end + 2
  }
  return 0
}
