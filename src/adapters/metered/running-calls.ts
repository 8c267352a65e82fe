import type { AnySession } from '../../index.js'

const keyOf = (name: string, id: string): string => `${name}\n${id}`

/** The calls of tools that runs make, with what only the framework knows of them. */
export class RunningCalls<Call> {
  readonly #running = new WeakMap<AnySession, Map<string, Call[]>>()

  /** Notes with what a run calls a tool: by session, the tool's name and the model's id. @returns forgets it. */
  note(session: AnySession, name: string, id: string, call: Call): () => void {
    const calls = this.#running.get(session) ?? new Map<string, Call[]>()
    this.#running.set(session, calls)
    const key = keyOf(name, id)
    calls.set(key, [...(calls.get(key) ?? []), call])
    return () => {
      const rest = (calls.get(key) ?? []).filter((other) => other !== call)
      if (rest.length === 0) calls.delete(key)
      else calls.set(key, rest)
    }
  }

  /** With what a run called the tool; `undefined` where no run did, and where more than one may have. */
  find(session: AnySession, name: string, id: string | undefined): Call | undefined {
    const found = id === undefined ? undefined : this.#running.get(session)?.get(keyOf(name, id))
    return found?.length === 1 ? found[0] : undefined
  }
}
