import { createServer, type IncomingMessage, type ServerResponse } from 'node:http'
import {
  constants,
  createServer as createServer2,
  type ServerHttp2Session,
  type ServerHttp2Stream,
} from 'node:http2'
import type { AddressInfo } from 'node:net'
import { onTestFinished } from 'vitest'

/** What a provider says a call used, before it is put into its own words. */
export interface Tokens {
  readonly input: number
  readonly output: number
  readonly cached?: number
  /** Of the input: written to a cache that keeps it for five minutes, and for an hour. */
  readonly written5m?: number
  readonly written1h?: number
  readonly reasoning?: number
}

/** How the stand-in answers one request. */
export type Plan =
  | { readonly kind: 'reply'; readonly text: string; readonly tokens?: Tokens }
  /** Streams the pieces, then the usage. */
  | {
      readonly kind: 'stream'
      readonly pieces: readonly string[]
      readonly tokens?: Tokens
      /** After so many pieces: wait for ever, or break the connection. */
      readonly cut?: { readonly after: number; readonly what: 'wait' | 'break' }
    }
  | { readonly kind: 'status'; readonly status: number; readonly headers?: Readonly<Record<string, string>> }
  /** Takes the request and never answers. */
  | { readonly kind: 'silence' }
  /** Breaks the connection in the place of an answer. */
  | { readonly kind: 'break' }
  /** Whatever the test wants. */
  | { readonly kind: 'raw'; readonly answer: (response: ServerResponse, body: unknown) => void }

/** One request that came in. */
export interface Asked {
  readonly method: string
  readonly path: string
  readonly body: Readonly<Record<string, unknown>>
  /** Settles when the connection of the answer is closed: `whole` says whether the answer was. */
  readonly closed: Promise<{ readonly whole: boolean }>
}

export interface Provider {
  readonly origin: string
  readonly asked: Asked[]
  /** Resolves when so many requests have come in. */
  readonly arrived: (count: number) => Promise<void>
}

/** How a provider writes its answers. */
export interface Wire {
  readonly reply: (path: string, body: Asked['body'], text: string, tokens: Tokens | undefined) => unknown
  /** The texts of the events before the pieces, of one piece, and of the end. */
  readonly events: (
    path: string,
    body: Asked['body'],
    pieces: readonly string[],
    tokens: Tokens | undefined,
  ) => { readonly pieces: readonly (string | Uint8Array)[]; readonly end: readonly (string | Uint8Array)[] }
  /** The type of a stream; without it, `text/event-stream`. */
  readonly streamType?: string
  /** True for a server that speaks HTTP/2, and nothing else. */
  readonly isHttp2?: boolean
}

/** Over HTTP/2 an aborted answer counts as finished: what tells is whether anybody ended it. */
const isEnded = (response: ServerResponse): boolean =>
  'stream' in response ? response.writableEnded : response.writableFinished

const breakOff = (response: ServerResponse): void => {
  if ('stream' in response) (response.stream as ServerHttp2Stream).close(constants.NGHTTP2_INTERNAL_ERROR)
  else response.destroy()
}

/** A server on loopback that answers by plan, one for each request, the last one for all that follow. */
export async function provide(wire: Wire, ...plans: readonly Plan[]): Promise<Provider> {
  const asked: Asked[] = []
  let wake: () => void = () => undefined
  const serve = (request: IncomingMessage, response: ServerResponse): void => {
    void answer(request, response)
  }
  const sessions = new Set<ServerHttp2Session>()
  const server =
    wire.isHttp2 === true
      ? createServer2((request, response) =>
          serve(request as unknown as IncomingMessage, response as unknown as ServerResponse),
        ).on('session', (session) => sessions.add(session))
      : createServer(serve)
  const answer = async (request: IncomingMessage, response: ServerResponse): Promise<void> => {
    const closed = new Promise<{ whole: boolean }>((resolve) =>
      response.on('close', () => resolve({ whole: isEnded(response) })),
    )
    let text = ''
    for await (const chunk of request) text += String(chunk)
    const path = new URL(request.url ?? '/', 'http://x').pathname
    const body = text.startsWith('{') ? JSON.parse(text) : {}
    const plan = plans[Math.min(asked.length, plans.length - 1)]
    asked.push({ method: request.method ?? '', path, body, closed })
    wake()
    await perform(plan as Plan, path, body, response)
  }
  const perform = async (
    plan: Plan,
    path: string,
    body: Asked['body'],
    response: ServerResponse,
  ): Promise<void> => {
    switch (plan.kind) {
      case 'reply':
        response.setHeader('content-type', 'application/json')
        response.end(JSON.stringify(wire.reply(path, body, plan.text, plan.tokens)))
        return
      case 'status':
        response.writeHead(plan.status, { 'content-type': 'application/json', ...plan.headers })
        response.end('{"error":{"message":"no"}}')
        return
      case 'silence':
        return
      case 'break':
        if ('stream' in response) (response.stream as ServerHttp2Stream).session?.destroy()
        response.destroy()
        return
      case 'raw':
        plan.answer(response, body)
        return
      case 'stream': {
        response.writeHead(200, { 'content-type': wire.streamType ?? 'text/event-stream' })
        const { pieces, end } = wire.events(path, body, plan.pieces, plan.tokens)
        for (const [index, piece] of pieces.entries()) {
          if (plan.cut?.after === index) {
            if (plan.cut.what === 'break') breakOff(response)
            return
          }
          response.write(piece)
          // One packet for each piece, so that a reader sees them one by one.
          await new Promise((resolve) => setImmediate(resolve))
          if (response.destroyed) return
        }
        for (const event of end) response.write(event)
        response.end()
      }
    }
  }
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
  onTestFinished(() => {
    for (const session of sessions) session.destroy()
    if ('closeAllConnections' in server) server.closeAllConnections()
    server.close()
  })
  return {
    origin: `http://127.0.0.1:${(server.address() as AddressInfo).port}`,
    asked,
    arrived: async (count) => {
      while (asked.length < count) {
        await new Promise<void>((resolve) => {
          wake = resolve
        })
      }
    },
  }
}
