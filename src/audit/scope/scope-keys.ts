import { FolderScopeKeys } from './folder-scope-keys.js'
import { MemoryScopeKeys } from './memory-scope-keys.js'
import type { ErasableScopeKeys, ScopeKeys as Keys } from './scope-key.js'

/**
 * The stores of scope keys that come with the library.
 *
 * @example
 * const scopeKeys = ScopeKeys.folder('./keys') // not where the log is, nor in its backups
 * scopeKeys.destroy('alice') // no value of alice's calls can be opened any more
 */
export const ScopeKeys: {
  /** Keys that end with the process: what was committed to can then never be opened. */
  readonly memory: () => ErasableScopeKeys
  /**
   * One file per user, for its owner alone, shared by every process that is given the folder. It is made with
   * mode 0700 where it is missing; a folder or a key that others may access is refused.
   *
   * @throws {@link ScopeKeyUnavailable} (ERR_SCOPE_KEY_UNAVAILABLE), here and in every method.
   */
  readonly folder: (path: string) => ErasableScopeKeys
} = Object.freeze({
  memory: () => new MemoryScopeKeys(),
  folder: (path: string) => new FolderScopeKeys(path, true),
})

/** Where the scope keys of an agent come from. */
export type ScopeKeys = Keys
