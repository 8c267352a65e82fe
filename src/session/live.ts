/**
 * Something in flight that the end of its session has to stop. The list runs through the entries
 * themselves, because every call enters and leaves it.
 */
export abstract class Live {
  /** The list and the neighbours in it; the list alone touches them. */
  list: LiveList | undefined
  before: Live | undefined
  after: Live | undefined
  /** True while it waits for an approval; the list alone sets it. */
  isWaiting = false

  /** False for a nested session, which ends with this one but is none of its calls. */
  get isCall(): boolean {
    return true
  }

  /** Called at most once, and MUST NOT throw. */
  abstract abort(reason: unknown): void
}

/** What a session has in flight. */
export class LiveList {
  #last: Live | undefined
  #waiting = 0

  get isEmpty(): boolean {
    return this.#last === undefined
  }

  /** How many of its entries wait for an approval. */
  get waiting(): number {
    return this.#waiting
  }

  /** True when there is something in flight, and all of it waits for an approval. */
  get allWaits(): boolean {
    if (this.#waiting === 0) return false
    for (let live = this.#last; live !== undefined; live = live.before) if (!live.isWaiting) return false
    return true
  }

  /** Notes that an entry waits for an approval, or does not any more. */
  mark(live: Live, isWaiting: boolean): void {
    if (live.list !== this || live.isWaiting === isWaiting) return
    live.isWaiting = isWaiting
    this.#waiting += isWaiting ? 1 : -1
  }

  enter(live: Live): void {
    live.list = this
    live.before = this.#last
    if (this.#last !== undefined) this.#last.after = live
    this.#last = live
  }

  /** Takes an entry out; one that has left already stays out. */
  leave(live: Live): void {
    if (live.list !== this) return
    if (live.isWaiting) this.mark(live, false)
    const { before, after } = live
    if (after === undefined) this.#last = before
    else after.before = before
    if (before !== undefined) before.after = after
    live.list = undefined
    live.before = undefined
    live.after = undefined
  }

  /** Stops everything, also what is entered meanwhile. Returns how many calls there were. */
  stopAll(reason: unknown): number {
    let stopped = 0
    for (let live = this.#last; live !== undefined; live = this.#last) {
      this.leave(live)
      if (live.isCall) stopped += 1
      live.abort(reason)
    }
    return stopped
  }
}
