import { builtin } from '../../../core/runtime.js'
import { RuntimeUnsupported } from '../../../index.js'
import { refusedPath } from './path-text.js'

/** What is used of the file system. */
export interface PathFs {
  lstatSync(path: string): unknown
  readdirSync(path: string): string[]
  readonly realpathSync: { native(path: string): string }
}

/** The file system and the paths of this machine. */
export interface PathHost {
  readonly fs: PathFs
  readonly path: {
    readonly sep: string
    resolve(...parts: string[]): string
    dirname(path: string): string
    basename(path: string): string
  }
  readonly isWindows: boolean
}

/** @throws {@link RuntimeUnsupported} (ERR_RUNTIME_UNSUPPORTED) where there is no file system. */
export function pathHost(): PathHost {
  const fs = builtin<typeof import('node:fs')>('fs')
  const path = builtin<typeof import('node:path')>('path')
  if (fs === undefined || path === undefined) throw new RuntimeUnsupported('a contract file', 'a file system')
  return { fs, path, isWindows: path.sep === '\\' }
}

/** Why a path is refused, in words that follow its name; `undefined` for one that is under the root. */
export type CheckPath = (value: string) => string | undefined

/**
 * Says whether a path is that of a folder or of something in it, links followed. What does not exist is judged
 * by the nearest folder above it that does.
 *
 * The root is followed once, here: a link that is changed afterwards moves nothing.
 *
 * @param folder where a root that is not absolute begins.
 * @throws RangeError when there is no such root.
 */
export function pathUnder(host: PathHost, folder: string, roots: readonly string[]): CheckPath {
  const { path, fs } = host
  const real = roots.map((root) => {
    try {
      return fs.realpathSync.native(path.resolve(folder, root))
    } catch (cause) {
      throw new RangeError(`there is no ${path.resolve(folder, root)}`, { cause })
    }
  })
  return (value) => {
    const refused = refusedPath(value, host.isWindows)
    if (refused !== undefined) return refused
    let found: string
    try {
      found = follow(host, path.resolve(value))
    } catch {
      return 'cannot be followed to its end'
    }
    return real.some((root) => isIn(root, found, path.sep)) ? undefined : 'is not in a folder that is allowed'
  }
}

/** The path without links. @throws when that cannot be known. */
function follow({ fs, path }: PathHost, value: string): string {
  const missing: string[] = []
  for (let here = value; ; here = path.dirname(here)) {
    if (exists(fs, here)) {
      const first = missing[0]
      // A link that leads nowhere exists, and has no real path: whoever writes to it makes a file elsewhere.
      const real = fs.realpathSync.native(here)
      if (first !== undefined && looksLikeAnother(fs, real, first)) throw new RangeError('ambiguous')
      return missing.reduce((at, name) => (at.endsWith(path.sep) ? at + name : at + path.sep + name), real)
    }
    const name = path.basename(here)
    if (name === '') throw new RangeError('no root')
    missing.unshift(name)
  }
}

/** @throws for everything but yes and no. */
function exists(fs: PathFs, path: string): boolean {
  try {
    fs.lstatSync(path)
    return true
  } catch (error) {
    if ((error as { code?: unknown }).code === 'ENOENT') return false
    throw error
  }
}

/** True where a server that normalises names, or a disk that does, finds something that we did not. */
function looksLikeAnother(fs: PathFs, folder: string, name: string): boolean {
  const wanted = folded(name)
  return fs.readdirSync(folder).some((other) => folded(other) === wanted)
}

const folded = (name: string): string => name.normalize('NFKC').toLowerCase().trim()

function isIn(root: string, path: string, separator: string): boolean {
  return path === root || path.startsWith(root.endsWith(separator) ? root : root + separator)
}
