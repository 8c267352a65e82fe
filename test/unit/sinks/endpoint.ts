import type { WebhookRequest, WebhookResponse } from '../../../src/sinks/webhook-options.js'

/**
 * What an endpoint does with a request: a status, an answer, or a failure of the network. It may never answer,
 * and let go (`hang`) or not (`deaf`) when the request is aborted.
 */
export type Answer =
  | number
  | WebhookResponse
  | { readonly failure: unknown }
  | 'hang'
  | 'deaf'
  | Promise<WebhookResponse>

/** In the place of `fetch`: remembers requests and answers as it is told, then with 204. */
export class Endpoint {
  readonly requests: (WebhookRequest & { readonly url: string })[] = []
  readonly #answers: Answer[]
  #onRequest: (() => void)[] = []

  constructor(...answers: Answer[]) {
    this.#answers = answers
  }

  get bodies(): string[] {
    return this.requests.map(({ body }) => body)
  }

  header(index: number, name: string): string | undefined {
    return this.requests[index]?.headers.find(([header]) => header === name)?.[1]
  }

  /** Resolves as soon as there have been this many requests. */
  async received(count: number): Promise<void> {
    while (this.requests.length < count) await new Promise<void>((resolve) => this.#onRequest.push(resolve))
  }

  readonly fetch = async (url: string, request: WebhookRequest): Promise<WebhookResponse> => {
    this.requests.push({ ...request, url })
    for (const tell of this.#onRequest.splice(0)) tell()
    const answer = this.#answers.shift() ?? 204
    if (typeof answer === 'number') return response(answer)
    if (answer === 'deaf') return new Promise(() => undefined)
    if (answer === 'hang') {
      return new Promise((_, reject) => {
        request.signal.addEventListener('abort', () => reject(request.signal.reason))
      })
    }
    if ('failure' in answer) throw answer.failure
    return answer
  }
}

export function response(status: number, headers: Record<string, string> = {}): WebhookResponse {
  return { status, headers: new Headers(headers), body: null }
}
