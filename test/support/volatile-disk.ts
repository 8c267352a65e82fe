import { constants } from 'node:fs'
import { dirname } from 'node:path'
import type { FileIo } from '../../src/sinks/file-open.js'

/** What a power cut may take away: a page that was written and not synchronised. */
const PAGE_BYTES = 4096
/** Between the power cut and the next writer. */
const AN_HOUR_MS = 3_600_000

interface Inode {
  readonly id: number
  /** Since when it is as it is; 0 before the power was cut. */
  mtimeMs: number
  /** What programs see. */
  data: Uint8Array
  /** What a power cut leaves for sure. */
  stable: Uint8Array
}

/** Files by name. What they hold must not be changed. */
export type Files = ReadonlyMap<string, Uint8Array>

interface NameChange {
  readonly path: string
  /** Undefined when the name goes away. */
  readonly inode: Inode | undefined
}

/** A disk at one instant: enough to say what a power cut would leave. */
export interface Instant {
  /** The call after which it was taken. */
  readonly call: string
  readonly names: ReadonlyMap<string, Inode>
  /** Changes of names, in order, that no folder was synchronised after. */
  readonly changes: readonly (readonly NameChange[])[]
  readonly contents: ReadonlyMap<Inode, { readonly data: Uint8Array; readonly stable: Uint8Array }>
}

/** Lock files are tested elsewhere: the states that they could be in would only multiply those of the log. */
const isLock = (path: string): boolean => path.includes('.lock')

const error = (code: string): NodeJS.ErrnoException => Object.assign(new TypeError(code), { code })

/**
 * A file system in memory that forgets, at a power cut, whatever was not synchronised: any part of the bytes that
 * were added (a prefix, or single pages), and any tail of the changes to names.
 */
export class VolatileDisk {
  readonly io: FileIo
  /** Called after every call that changed something. */
  onChange: ((call: string) => void) | undefined
  readonly #names = new Map<string, Inode>()
  #stableNames = new Map<string, Inode>()
  #changes: NameChange[][] = []
  readonly #open = new Map<number, { inode: Inode | undefined; position?: number }>()
  #nextFd = 100
  readonly #locks = new WeakSet<Inode>()
  static #nextInode = 1

  constructor(files: Files = new Map()) {
    for (const [path, data] of files) {
      this.#names.set(path, { id: VolatileDisk.#nextInode++, mtimeMs: 0, data, stable: data })
    }
    this.#stableNames = new Map(this.#names)
    this.io = this.#makeIo()
  }

  /** What programs see. */
  get files(): Files {
    return new Map([...this.#names].map(([path, { data }]) => [path, data]))
  }

  instant(call = ''): Instant {
    const inodes = new Set([
      ...this.#names.values(),
      ...this.#stableNames.values(),
      ...this.#changes.flat().flatMap(({ inode }) => (inode === undefined ? [] : [inode])),
    ])
    return {
      call,
      names: new Map(this.#stableNames),
      changes: [...this.#changes],
      contents: new Map([...inodes].map((inode) => [inode, { data: inode.data, stable: inode.stable }])),
    }
  }

  #makeIo(): FileIo {
    const changed = (call: string): void => this.onChange?.(call)
    const inodeOf = (fd: number): Inode => {
      const inode = this.#open.get(fd)?.inode
      if (inode === undefined) throw error('EBADF')
      return inode
    }
    const stat = (inode: Inode | undefined, bigint: boolean | undefined): unknown => ({
      isFile: () => inode !== undefined,
      isDirectory: () => inode === undefined,
      isSymbolicLink: () => false,
      mode: 0o600,
      mtimeMs: inode?.mtimeMs ?? 0,
      dev: bigint ? 1n : 1,
      ino: bigint ? BigInt(9_000_000 + (inode?.id ?? 0)) : 9_000_000 + (inode?.id ?? 0),
      size: bigint ? BigInt(inode?.data.length ?? 0) : (inode?.data.length ?? 0),
    })
    const rename = (changes: NameChange[]): void => {
      if (changes.every(({ path }) => isLock(path))) {
        for (const { path, inode } of changes) {
          if (inode === undefined) this.#stableNames.delete(path)
          else this.#stableNames.set(path, inode)
        }
      } else this.#changes.push(changes)
      for (const { path, inode } of changes) {
        if (inode === undefined) this.#names.delete(path)
        else this.#names.set(path, inode)
      }
    }
    const sync = (fd: number): void => {
      const entry = this.#open.get(fd)
      if (entry === undefined) throw error('EBADF')
      if (entry.inode === undefined) {
        this.#stableNames = new Map(this.#names)
        this.#changes = []
      } else entry.inode.stable = entry.inode.data
      changed('sync')
    }
    const soon = (fd: number, done: (failure: Error | null) => void): void => {
      setImmediate(() => {
        sync(fd)
        done(null)
      })
    }
    const io = {
      constants,
      // Whoever wrote before the power was cut is gone, and an hour has passed.
      lockHost: {
        host: 'disk',
        pid: 1,
        scope: undefined,
        silentMs: 300_000,
        beatMs: 3_600_000,
        takeSocket: () => ({ release: () => undefined }),
      },
      openSync: (path: string, flags: number): number => {
        const fd = this.#nextFd++
        let inode = this.#names.get(path)
        if (inode === undefined && (flags & constants.O_CREAT) === 0) {
          const isFolder = [...this.#names.keys()].some((name) => `${dirname(name)}/` === path)
          if (!isFolder) throw error('ENOENT')
          this.#open.set(fd, { inode: undefined })
          return fd
        }
        if (inode !== undefined && (flags & constants.O_EXCL) !== 0) throw error('EEXIST')
        const isNew = inode === undefined
        inode ??= {
          id: VolatileDisk.#nextInode++,
          mtimeMs: AN_HOUR_MS,
          data: new Uint8Array(0),
          stable: new Uint8Array(0),
        }
        if (isNew) rename([{ path, inode }])
        if (isLock(path)) this.#locks.add(inode)
        this.#open.set(fd, (flags & constants.O_APPEND) === 0 ? { inode, position: 0 } : { inode })
        if (isNew && !isLock(path)) changed('create')
        return fd
      },
      closeSync: (fd: number): void => void this.#open.delete(fd),
      fstatSync: (fd: number, options?: { bigint?: boolean }) =>
        stat(this.#open.get(fd)?.inode, options?.bigint),
      lstatSync: (path: string, options?: { bigint?: boolean; throwIfNoEntry?: boolean }) => {
        const inode = this.#names.get(path)
        if (inode !== undefined) return stat(inode, options?.bigint)
        if (options?.throwIfNoEntry === false) return undefined
        throw error('ENOENT')
      },
      readSync: (fd: number, into: Uint8Array, offset: number, length: number, position: number): number => {
        const piece = inodeOf(fd).data.subarray(position, position + length)
        into.set(piece, offset)
        return piece.length
      },
      writeSync: (fd: number, bytes: Uint8Array, offset: number, length: number): number => {
        const inode = inodeOf(fd)
        const entry = this.#open.get(fd)
        const start = entry?.position ?? inode.data.length
        const data = new Uint8Array(Math.max(inode.data.length, start + length))
        data.set(inode.data)
        data.set(bytes.subarray(offset, offset + length), start)
        inode.data = data
        if (entry?.position !== undefined) entry.position += length
        inode.mtimeMs = AN_HOUR_MS
        if (!this.#locks.has(inode)) changed('write')
        return length
      },
      ftruncateSync: (fd: number, length: number): void => {
        const inode = inodeOf(fd)
        inode.data = inode.data.slice(0, length)
        changed('truncate')
      },
      fsyncSync: sync,
      fdatasyncSync: sync,
      fsync: soon,
      fdatasync: soon,
      readdirSync: (folder: string): string[] =>
        [...this.#names.keys()]
          .filter((name) => `${dirname(name)}/` === folder)
          .map((name) => name.slice(folder.length)),
      renameSync: (from: string, to: string): void => {
        const inode = this.#names.get(from)
        if (inode === undefined) throw error('ENOENT')
        rename([
          { path: from, inode: undefined },
          { path: to, inode },
        ])
        if (!isLock(to)) changed('rename')
      },
      unlinkSync: (path: string): void => {
        if (!this.#names.has(path)) throw error('ENOENT')
        rename([{ path, inode: undefined }])
        if (!isLock(path)) changed('unlink')
      },
    }
    return io as unknown as FileIo
  }
}

/**
 * What a power cut at this instant can leave: every number of the changes to names that had begun to be stored,
 * and of the file `path`, every prefix of what was added, every set of its pages, and all that was added to the
 * others or nothing.
 */
export function* crashStates(instant: Instant, path: string, prefixStep = 1): Generator<Files> {
  for (let count = 0; count <= instant.changes.length; count++) {
    const names = new Map(instant.names)
    for (const { path: name, inode } of instant.changes.slice(0, count).flat()) {
      if (inode === undefined) names.delete(name)
      else names.set(name, inode)
    }
    const others = [...names.keys()].some((name) => name !== path && !isLock(name))
    for (const kept of others ? (['data', 'stable'] as const) : (['data'] as const)) {
      const contents = new Map(
        [...names].map(([name, inode]) => [name, instant.contents.get(inode)?.[kept] ?? new Uint8Array(0)]),
      )
      const log = names.get(path)
      if (log === undefined) yield contents
      else {
        for (const content of contentsOf(instant.contents.get(log), prefixStep)) {
          yield new Map([...contents, [path, content]])
        }
      }
    }
  }
}

function* contentsOf(
  content: { readonly data: Uint8Array; readonly stable: Uint8Array } | undefined,
  prefixStep: number,
): Generator<Uint8Array> {
  const { data, stable } = content ?? { data: new Uint8Array(0), stable: new Uint8Array(0) }
  yield stable
  if (data.length < stable.length) {
    yield data
    return
  }
  for (let end = stable.length + 1; end < data.length; end += prefixStep) yield data.slice(0, end)
  const pages: number[] = []
  for (let page = Math.floor(stable.length / PAGE_BYTES); page * PAGE_BYTES < data.length; page++)
    pages.push(page)
  // Every set of pages that did not arrive, while the size of the file did.
  for (let set = 0; set < 2 ** Math.min(pages.length, 6); set++) {
    const holed = data.slice()
    for (const [bit, page] of pages.entries()) {
      if ((set & (1 << bit)) === 0) continue
      holed.fill(
        0,
        Math.max(stable.length, page * PAGE_BYTES),
        Math.min(data.length, (page + 1) * PAGE_BYTES),
      )
    }
    yield holed
  }
}
