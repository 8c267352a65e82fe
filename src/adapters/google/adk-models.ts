import type { Context, LlmAgent, LlmRequest } from '@google/adk'
import { UnmeteredRequest } from '../../index.js'
import { findSession } from '../metered/find-session.js'
import type { GovernedFetchOptions } from '../metered/settings.js'
import { observe } from '../metered/unmetered.js'
import { asksByFetch } from './adk-shapes.js'
import { governedFetch } from './governed-fetch.js'

/** A request that a model was handed, and whether it came to the `fetch` in it. */
interface Handed {
  isSent: boolean
}

/** Puts the governed `fetch` into each request that a model is handed, whichever agent's it is. */
export class AdkModels {
  readonly #settings: GovernedFetchOptions
  readonly #fetch: ReturnType<typeof governedFetch>
  /** By what the ADK keeps of one answer: the two callbacks of a request have it in common. */
  readonly #handed = new WeakMap<object, Handed>()

  constructor(settings: GovernedFetchOptions) {
    this.#settings = settings
    this.#fetch = governedFetch(settings)
  }

  /**
   * @throws {@link UnmeteredRequest} (ERR_UNMETERED_REQUEST) for a model that takes no `fetch`, unless that is
   *   to be observed.
   * @throws {@link NoSession} (ERR_NO_SESSION) outside of every session.
   */
  before({ invocationContext: { agent }, actions }: Context, request: LlmRequest): void {
    const session = findSession(this.#settings)
    const model = (agent as LlmAgent).canonicalModel
    const handed: Handed = { isSent: session === undefined }
    this.#handed.set(actions, handed)
    if (session === undefined) return
    if (!asksByFetch(model)) {
      const what = `the model ${model.model}, which takes no fetch`
      if (this.#settings.unmetered !== 'observe') throw new UnmeteredRequest(what)
      observe(session, what)
      handed.isSent = true
      return
    }
    request.config ??= {}
    request.config.httpOptions = {
      ...request.config.httpOptions,
      fetch: (input, init) => {
        handed.isSent = true
        return this.#fetch(input, init)
      },
    }
  }

  /**
   * @throws {@link UnmeteredRequest} (ERR_UNMETERED_REQUEST) for an answer that came another way, unless that
   *   is to be observed. It is on record.
   */
  after({ actions }: Context): void {
    const handed = this.#handed.get(actions)
    if (handed?.isSent === true) return
    if (handed !== undefined) handed.isSent = true
    const what = 'the answer of a model that did not use the fetch of its request'
    const session = findSession(this.#settings)
    if (session !== undefined) observe(session, what)
    if (this.#settings.unmetered !== 'observe') throw new UnmeteredRequest(what)
  }
}
