import type { RuntimeExtension } from '@aws-sdk/client-bedrock-runtime'
import { UnmeteredRequest } from '../../index.js'
import { type Attempt, Refused } from './attempt.js'

/** What makes the requests of a client, as the client types it. */
export type Handler = ReturnType<Parameters<RuntimeExtension['configure']>[0]['httpHandler']>

type Handle = Handler['handle']

/**
 * Stands before the request handler of a client, because the signal of a request is in nobody else's hands.
 * A request that no attempt was begun for is refused.
 */
export class GovernedHandler implements Handler {
  readonly metadata?: NonNullable<Handler['metadata']>
  readonly #handler: Handler
  readonly #attempts: WeakMap<object, Attempt>

  constructor(handler: Handler, attempts: WeakMap<object, Attempt>) {
    this.#handler = handler
    this.#attempts = attempts
    if (handler.metadata !== undefined) this.metadata = handler.metadata
  }

  async handle(...[request, options]: Parameters<Handle>): ReturnType<Handle> {
    const attempt = this.#attempts.get(request)
    if (attempt === undefined) throw new Refused(new UnmeteredRequest(`${request.method} ${request.path}`))
    const caller = options?.abortSignal
    if (caller?.aborted) return this.#handler.handle(request, options)
    if (caller !== undefined && !(caller instanceof AbortSignal)) {
      throw new Refused(new TypeError('governed: expected abortSignal to be an AbortSignal of the runtime'))
    }
    return attempt.send(caller, (signal) =>
      this.#handler.handle(request, signal === undefined ? options : { ...options, abortSignal: signal }),
    )
  }

  destroy(): void {
    this.#handler.destroy?.()
  }

  updateHttpClientConfig(...change: Parameters<Handler['updateHttpClientConfig']>): void {
    this.#handler.updateHttpClientConfig(...change)
  }

  httpHandlerConfigs(): ReturnType<Handler['httpHandlerConfigs']> {
    return this.#handler.httpHandlerConfigs()
  }
}
