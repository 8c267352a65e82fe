/** What a call of `fetch` asks for, whichever of its forms it has. */
export interface FetchTarget {
  readonly method: string
  readonly path: string
  /** What gives the call up, if anything does. */
  readonly signal: AbortSignal | undefined
}

/** @throws TypeError for what is no absolute URL. */
export function targetOf(input: string | URL | Request, init: RequestInit): FetchTarget {
  const request = typeof input === 'object' && 'url' in input ? input : undefined
  const { pathname } = new URL(request?.url ?? (input as string | URL))
  const method = init.method ?? request?.method ?? 'GET'
  return { method: method.toUpperCase(), path: pathname, signal: init.signal ?? request?.signal }
}
