import { newScopeKey } from './new-scope-key.js'
import type { ErasableScopeKeys, ScopeKey } from './scope-key.js'

/** Scope keys that live as long as this object: for tests, and for logs that nobody will open later. */
export class MemoryScopeKeys implements ErasableScopeKeys {
  readonly #keys = new Map<string, ScopeKey>()

  keyFor(user: string): ScopeKey {
    let key = this.#keys.get(user)
    if (key === undefined) {
      key = newScopeKey()
      this.#keys.set(user, key)
    }
    return key
  }

  find(user: string): ScopeKey | undefined {
    return this.#keys.get(user)
  }

  destroy(user: string): boolean {
    this.#keys.get(user)?.key.fill(0)
    return this.#keys.delete(user)
  }
}
