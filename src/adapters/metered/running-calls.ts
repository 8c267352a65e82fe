import type { AnySession } from '../../index.js'

/** The calls of tools that runs make, with what only the framework knows of them. */
export class RunningCalls<Call> {
  readonly #running = new WeakMap<AnySession, Map<string, readonly Call[]>>()

  /** Notes with what a run calls a tool: by session and the model's id. @returns forgets it. */
  note(session: AnySession, id: string, call: Call): () => void {
    const calls = this.#running.get(session) ?? new Map<string, readonly Call[]>()
    this.#running.set(session, calls)
    calls.set(id, [...(calls.get(id) ?? []), call])
    return () => {
      const rest = (calls.get(id) ?? []).filter((other) => other !== call)
      if (rest.length === 0) calls.delete(id)
      else calls.set(id, rest)
    }
  }

  /**
   * With what a run called the tool; `undefined` where no run did, and where more than one may have: a model can
   * give an id twice.
   */
  find(session: AnySession, id: string | undefined, isIt: (call: Call) => boolean): Call | undefined {
    const calls = id === undefined ? undefined : this.#running.get(session)?.get(id)
    const found = (calls ?? []).filter(isIt)
    return found.length === 1 ? found[0] : undefined
  }
}
