/**
 * Everything that follows one signal, behind one listener: adding and removing listeners takes longer the
 * more there are, and Node warns of a leak at eleven. A signal for the shutdown of a server is followed by
 * every session there is.
 */
const hubs = new WeakMap<AbortSignal, Hub>()

class Hub {
  readonly #signal: AbortSignal
  readonly #followers = new Set<CallerSignal>()
  readonly #listener = (): void => {
    for (const follower of [...this.#followers]) follower.notify(this.#signal.reason)
  }

  constructor(signal: AbortSignal) {
    this.#signal = signal
    hubs.set(signal, this)
    signal.addEventListener('abort', this.#listener, { once: true })
  }

  add(follower: CallerSignal): void {
    this.#followers.add(follower)
  }

  delete(follower: CallerSignal): void {
    this.#followers.delete(follower)
    if (this.#followers.size > 0) return
    this.#signal.removeEventListener('abort', this.#listener)
    if (hubs.get(this.#signal) === this) hubs.delete(this.#signal)
  }
}

/** Follows a signal that outlives what follows it, until it is released. */
export class CallerSignal {
  readonly #onAbort: (reason: unknown) => void
  #hub: Hub | undefined

  /** Calls back with the signal's reason, at once if it is aborted already. */
  constructor(signal: AbortSignal, onAbort: (reason: unknown) => void) {
    this.#onAbort = onAbort
    if (signal.aborted) {
      onAbort(signal.reason)
      return
    }
    this.#hub = hubs.get(signal) ?? new Hub(signal)
    this.#hub.add(this)
  }

  /** For the hub: the signal was aborted. Nothing happens after a release. */
  notify(reason: unknown): void {
    if (this.#hub !== undefined) this.#onAbort(reason)
  }

  release(): void {
    this.#hub?.delete(this)
    this.#hub = undefined
  }
}
