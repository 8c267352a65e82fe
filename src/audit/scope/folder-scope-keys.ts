import { bytesToHex } from '@noble/hashes/utils.js'
import { describe } from '../../core/describe.js'
import { RuntimeUnsupported } from '../../core/errors.js'
import { hmacSha256 } from '../../core/hmac.js'
import { builtin } from '../../core/runtime.js'
import { ScopeKeyUnavailable } from '../../core/scope-key-unavailable.js'
import {
  createKeyFile,
  destroyKeyFile,
  type KeyFileIo,
  namesIn,
  openFolder,
  readKeyFile,
} from './key-file.js'
import type { ErasableScopeKeys, ScopeKey } from './scope-key.js'

const DOMAIN = 'writ/scope-name/v1'
const NAMES_KEY = 'folder.key'
const KEY_FILE = /^[0-9a-f]{64}\.key$/
/** A key that is destroyed as soon as it is made is made again, but not for ever. */
const MAX_ATTEMPTS = 8

/**
 * One file per user in a folder that nobody else may access.
 *
 * A file is named after an HMAC of the user under a key of the folder's own, so that a listing of the folder
 * (in a backup's index, say) names nobody. Whoever can read the files can test a guess, and has the keys.
 */
export class FolderScopeKeys implements ErasableScopeKeys {
  readonly #folder: string
  readonly #io: KeyFileIo
  #namesKey: Uint8Array | undefined

  /**
   * @param create makes the folder where it is missing, mode 0700.
   * @throws TypeError when `folder` is no path.
   * @throws {@link ScopeKeyUnavailable} (ERR_SCOPE_KEY_UNAVAILABLE) when it is no folder, or others may access it.
   * @throws {@link RuntimeUnsupported} (ERR_RUNTIME_UNSUPPORTED) where there is no file system.
   */
  constructor(folder: string, create: boolean, io: KeyFileIo | undefined = builtin<KeyFileIo>('fs')) {
    if (typeof folder !== 'string' || folder === '' || folder.includes('\0')) {
      throw new TypeError(`ScopeKeys.folder: expected a path, got ${describe(folder)}`)
    }
    if (io === undefined) throw new RuntimeUnsupported('ScopeKeys.folder', 'a file system (node:fs)')
    openFolder(io, folder, create)
    this.#folder = folder
    this.#io = io
  }

  keyFor(user: string): ScopeKey {
    if (this.#namesKey === undefined && !this.#hasNamesKey()) {
      createKeyFile(this.#io, this.#folder, `${this.#folder}/${NAMES_KEY}`)
    }
    const path = this.#pathOf(user)
    for (let attempt = 0; path !== undefined && attempt < MAX_ATTEMPTS; attempt++) {
      const key = readKeyFile(this.#io, path)
      if (key !== undefined) return key
      createKeyFile(this.#io, this.#folder, path)
    }
    throw new ScopeKeyUnavailable(this.#folder, 'a key is gone as soon as it is made')
  }

  find(user: string): ScopeKey | undefined {
    const path = this.#pathOf(user)
    return path === undefined ? undefined : readKeyFile(this.#io, path)
  }

  destroy(user: string): boolean {
    const path = this.#pathOf(user)
    return path !== undefined && destroyKeyFile(this.#io, this.#folder, path)
  }

  /** Where the key for a user is or will be; `undefined` in a folder that holds no key yet. */
  #pathOf(user: string): string | undefined {
    if (typeof user !== 'string') throw new TypeError(`user: expected a string, got ${describe(user)}`)
    if (this.#namesKey === undefined && !this.#hasNamesKey()) return undefined
    const name = hmacSha256(this.#namesKey as Uint8Array, `${DOMAIN}\0${user}`)
    return `${this.#folder}/${bytesToHex(name)}.key`
  }

  /** Without the key of the names, every user would seem to have none, and none could be destroyed. */
  #hasNamesKey(): boolean {
    const path = `${this.#folder}/${NAMES_KEY}`
    let found = readKeyFile(this.#io, path)
    if (found === undefined && namesIn(this.#io, this.#folder).some((name) => KEY_FILE.test(name))) {
      // Made between the two looks, it is there now: it is always older than the keys that it names.
      found = readKeyFile(this.#io, path)
      if (found === undefined) {
        throw new ScopeKeyUnavailable(path, 'it is missing beside keys that it names; restore it')
      }
    }
    this.#namesKey = found?.key
    return found !== undefined
  }
}
