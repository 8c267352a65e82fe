import type { EmbeddingModelMiddleware, LanguageModelMiddleware } from 'ai'
import { type AnySession, UnmeteredRequest } from '../../index.js'
import { failed, unlessStopped } from '../metered/failed-call.js'
import { findSession } from '../metered/find-session.js'
import { type Members, membersOf, numberAt } from '../metered/members.js'
import { type CallBounds, MeteredCall } from '../metered/metered-call.js'
import { asOutermost } from '../metered/outermost.js'
import { readCallOptions } from '../metered/settings.js'
import { meteredParts } from './metered-parts.js'
import { noteFailure, refusedReply, refusedStream } from './refused.js'
import {
  type GovernedModelOptions,
  type ModelName,
  readBounds,
  readEmbedBounds,
  unmeteredPart,
} from './request.js'
import { chargeReply } from './usage.js'

/** A model of the SDK, of whichever version of its specification. */
interface LanguageModelObject extends ModelName {
  doGenerate(params: never): PromiseLike<unknown>
  doStream(params: never): PromiseLike<unknown>
}
/** An embedding model, likewise. */
interface EmbeddingModelObject extends ModelName {
  doEmbed(params: never): PromiseLike<unknown>
}

/** A method of a model, untied from the version of the specification. */
type Send = (params: Members) => PromiseLike<unknown>

/**
 * A middleware for language models, and for embedding models, of version 6 and 7 of the SDK. Every call is held
 * in the session before it is made, charged once however it ends, and cut off at a limit. It goes last in the
 * list, so that it sees what is really asked. One model serves any number of sessions.
 *
 * @throws TypeError or RangeError for options that are not usable.
 * @example
 * const model = wrapLanguageModel({ model: openai('gpt-5'), middleware: [logging, governedMiddleware()] })
 * await agent.session('alice', () => generateText({ model, prompt }))
 * @see COVERAGE for what is metered and what is not
 */
export function governedMiddleware(
  options: GovernedModelOptions = {},
): LanguageModelMiddleware & EmbeddingModelMiddleware {
  const settings = readModelOptions('governedMiddleware', options)
  const middleware = {
    specificationVersion: 'v3' as const,
    wrapGenerate: ({ model, params }: { model: LanguageModelObject; params: unknown }) =>
      generate(model, params as Members, settings),
    wrapStream: ({ model, params }: { model: LanguageModelObject; params: unknown }) =>
      stream(model, params as Members, settings),
    wrapEmbed: ({ model, params }: { model: EmbeddingModelObject; params: unknown }) =>
      embed(model, params as Members, settings),
  }
  // What goes in and out is of the version that the caller has.
  return middleware as unknown as LanguageModelMiddleware & EmbeddingModelMiddleware
}

/**
 * A language model or an embedding model, governed as with {@link governedMiddleware}. A refusal is what
 * `generateText` rejects with, and what reading or awaiting a stream throws: {@link NoSession},
 * {@link BudgetExceeded}, {@link BudgetReserved}, {@link UnpricedModel}, {@link UnmeteredRequest}. The SDK does
 * not try it again.
 *
 * @throws TypeError for something that is neither, such as the name of a model; TypeError or RangeError for
 *   options that are not usable.
 * @example
 * const model = governModel(openai('gpt-5'))
 * await agent.session('alice', () => generateText({ model, prompt }))
 * @see COVERAGE for what is metered and what is not
 */
export function governModel<M extends LanguageModelObject | EmbeddingModelObject>(
  model: M,
  options: GovernedModelOptions = {},
): M {
  const settings = readModelOptions('governModel', options)
  const members = membersOf(model)
  let methods: Readonly<Record<string, Send>>
  if (typeof members?.['doGenerate'] === 'function' && typeof members['doStream'] === 'function') {
    const target = model as unknown as LanguageModelObject
    methods = {
      doGenerate: (params) => generate(target, params, settings),
      doStream: (params) => stream(target, params, settings),
    }
  } else if (typeof members?.['doEmbed'] === 'function') {
    methods = { doEmbed: (params) => embed(model as unknown as EmbeddingModelObject, params, settings) }
  } else {
    throw new TypeError(
      'governModel: expected a language model or an embedding model; for the name of one, use governedMiddleware in a provider',
    )
  }
  return new Proxy(model, {
    get: (target, name) =>
      typeof name === 'string' && Object.hasOwn(methods, name)
        ? methods[name]
        : Reflect.get(target, name, target),
  })
}

async function generate(
  model: LanguageModelObject,
  params: Members,
  settings: GovernedModelOptions,
): Promise<unknown> {
  const { prompt } = params
  let call: MeteredCall | undefined
  try {
    call = begin(params, settings, () => readBounds(model, params, false, settings))
  } catch (refusal) {
    return refusedReply(prompt, refusal)
  }
  const send = model.doGenerate.bind(model) as unknown as Send
  return call === undefined ? send(params) : finish(call, send, params, prompt)
}

async function embed(
  model: EmbeddingModelObject,
  params: Members,
  settings: GovernedModelOptions,
): Promise<unknown> {
  const call = begin(params, settings, () => readEmbedBounds(model, params, settings))
  const send = model.doEmbed.bind(model) as unknown as Send
  return call === undefined ? send(params) : finish(call, send, params, undefined)
}

/** Makes a call whose output comes as a whole, and charges it. */
async function finish(call: MeteredCall, send: Send, params: Members, prompt: unknown): Promise<unknown> {
  let reply: unknown
  try {
    reply = await unlessStopped(
      call,
      asOutermost(() => send({ ...params, abortSignal: call.signal })),
    )
  } catch (error) {
    noteFailure(prompt, error)
    const seen = failed(call, error, statusOf(error), false)
    if (seen === error && call.stopped === undefined) throw error
    return refusedReply(prompt, seen)
  }
  try {
    const embedded = numberAt(membersOf(membersOf(reply)?.['usage']), 'tokens')
    if (embedded === undefined) chargeReply(call, reply)
    else call.finish({ inputTokens: embedded, outputTokens: 0 })
  } catch (refusal) {
    return refusedReply(prompt, refusal)
  } finally {
    call.detach()
  }
  return reply
}

async function stream(
  model: LanguageModelObject,
  params: Members,
  settings: GovernedModelOptions,
): Promise<unknown> {
  let call: MeteredCall | undefined
  try {
    call = begin(params, settings, () => readBounds(model, params, true, settings))
  } catch (refusal) {
    if (isAborted(params)) throw refusal
    return { stream: refusedStream(refusal) }
  }
  const send = model.doStream.bind(model) as unknown as Send
  if (call === undefined) return send(params)
  const metered = call
  try {
    const reply = await unlessStopped(
      metered,
      asOutermost(() => send({ ...params, abortSignal: metered.signal })),
    )
    const { stream: parts } = reply as { readonly stream: ReadableStream<unknown> }
    return { ...(reply as object), stream: meteredParts(parts, metered) }
  } catch (error) {
    const seen = failed(metered, error, statusOf(error), false)
    if (seen === error && metered.stopped === undefined) throw error
    return { stream: refusedStream(seen) }
  }
}

/** Holds what a call may use; `undefined` where it may pass without a session. @throws what refuses it. */
function begin(
  params: Members,
  settings: GovernedModelOptions,
  bounds: () => CallBounds,
): MeteredCall | undefined {
  const session: AnySession | undefined = findSession(settings)
  if (session === undefined) return undefined
  const caller = params['abortSignal'] as AbortSignal | undefined
  caller?.throwIfAborted()
  const part = unmeteredPart(params)
  if (part !== undefined && settings.unmetered !== 'observe') throw new UnmeteredRequest(part)
  return new MeteredCall(session, bounds(), caller)
}

function isAborted(params: Members): boolean {
  return (params['abortSignal'] as AbortSignal | undefined)?.aborted === true
}

/**
 * The status with which a provider refused a call, if it did. An answer that could not be read has the status of
 * one that was served, and is charged.
 */
function statusOf(error: unknown): number | undefined {
  const status = error instanceof Error && 'statusCode' in error ? error.statusCode : undefined
  return typeof status === 'number' && status >= 400 ? status : undefined
}

function readModelOptions(label: string, options: GovernedModelOptions): Readonly<GovernedModelOptions> {
  const settings = readCallOptions(label, options, ['model'])
  const { model } = settings
  if (model !== undefined && (typeof model !== 'string' || model === '')) {
    throw new TypeError(`${label}.model: expected the name of a model`)
  }
  return settings
}
