/**
 * Something in flight that the end of its session has to stop. The list runs through the entries
 * themselves, because every call enters and leaves it.
 */
export abstract class Live {
  /** The list and the neighbours in it; the list alone touches them. */
  list: LiveList | undefined
  before: Live | undefined
  after: Live | undefined
  /** False for a nested session, which ends with this one but is none of its calls. */
  readonly isCall: boolean = true
  /** Called at most once, and MUST NOT throw. */
  abstract abort(reason: unknown): void
}

/** What a session has in flight. */
export class LiveList {
  #last: Live | undefined

  get isEmpty(): boolean {
    return this.#last === undefined
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
