/** Follows a signal that outlives what follows it: one listener, taken off again. */
export class CallerSignal {
  readonly #signal: AbortSignal
  readonly #listener: () => void

  /** Calls back with the signal's reason, at once if it is aborted already. */
  constructor(signal: AbortSignal, onAbort: (reason: unknown) => void) {
    this.#signal = signal
    this.#listener = () => onAbort(signal.reason)
    if (signal.aborted) this.#listener()
    else signal.addEventListener('abort', this.#listener, { once: true })
  }

  release(): void {
    this.#signal.removeEventListener('abort', this.#listener)
  }
}
