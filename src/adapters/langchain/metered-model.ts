import { stampRetryable } from '@langchain/core/errors'
import type { BaseMessage } from '@langchain/core/messages'
import type { ChatGenerationChunk, ChatResult } from '@langchain/core/outputs'
import { UnmeteredRequest, WritError } from '../../index.js'
import { findSession } from '../metered/find-session.js'
import { MeteredCall } from '../metered/metered-call.js'
import { asOutermost } from '../metered/outermost.js'
import { isNeverSent } from '../metered/send.js'
import type { GovernedModelOptions } from './model-options.js'
import { type ChatModel, readBounds, unmeteredPart } from './model-request.js'
import { chargeAnswer, StreamMeter } from './model-usage.js'

type Options = Readonly<Record<string, unknown>> & { readonly signal?: AbortSignal }
type Rest = readonly unknown[]

/** An answer that comes whole, under the session. */
export async function generate(
  model: ChatModel,
  settings: GovernedModelOptions,
  messages: BaseMessage[],
  options: Options,
  rest: Rest,
): Promise<ChatResult> {
  const ask = (asked: Options): Promise<ChatResult> =>
    model._generate(messages, asked as never, ...(rest as []))
  const call = begin(model, settings, messages, options, false)
  if (call === undefined) return ask(options)
  try {
    const answer = await unlessStopped(
      call,
      asOutermost(() => ask({ ...options, signal: call.signal })),
    )
    chargeAnswer(call, answer.generations)
    call.detach()
    return answer
  } catch (error) {
    throw failed(call, error, false)
  }
}

/** The chunks of an answer, under the session. */
export function streamChunks(
  model: ChatModel,
  settings: GovernedModelOptions,
  messages: BaseMessage[],
  options: Options,
  rest: Rest,
): AsyncGenerator<ChatGenerationChunk> {
  return stream(
    model,
    settings,
    messages,
    options,
    (asked) => model._streamResponseChunks(messages, asked as never, ...(rest as [])),
    (meter, chunk) => meter.chunk(chunk.message),
  )
}

/** The events of an answer, of a model that has its own, under the session. */
export function streamModelEvents(
  model: ChatModel,
  settings: GovernedModelOptions,
  messages: BaseMessage[],
  options: Options,
  rest: Rest,
): ReturnType<ChatModel['_streamChatModelEvents']> {
  return stream(
    model,
    settings,
    messages,
    options,
    (asked) => model._streamChatModelEvents(messages, asked as never, ...(rest as [])),
    (meter, event) => meter.event(event),
  )
}

async function* stream<Part>(
  model: ChatModel,
  settings: GovernedModelOptions,
  messages: BaseMessage[],
  options: Options,
  ask: (options: Options) => AsyncGenerator<Part>,
  note: (meter: StreamMeter, part: Part) => void,
): AsyncGenerator<Part> {
  const call = begin(model, settings, messages, options, true)
  if (call === undefined) {
    yield* ask(options)
    return
  }
  const meter = new StreamMeter(call)
  let parts: AsyncGenerator<Part> | undefined
  let isBegun = false
  let isOver = false
  try {
    const begun = asOutermost(() => ask({ ...options, signal: call.signal }))
    parts = begun
    for (;;) {
      const next = await unlessStopped(
        call,
        asOutermost(() => begun.next()),
      )
      if (next.done === true) break
      isBegun = true
      note(meter, next.value)
      yield next.value
      if (call.stopped !== undefined) throw call.stopped.reason
    }
    call.finishUnreported()
    call.detach()
    isOver = true
  } catch (error) {
    isOver = true
    leave(parts)
    throw failed(call, error, isBegun)
  } finally {
    // Whoever reads has gone.
    if (!isOver) {
      leave(parts)
      call.stop(new DOMException('the stream was broken off', 'AbortError'))
    }
  }
}

/**
 * Holds what the call may use; `undefined` where it may pass without a session.
 *
 * @throws what refuses the call.
 */
function begin(
  model: ChatModel,
  settings: GovernedModelOptions,
  messages: readonly BaseMessage[],
  options: Options,
  isStreamed: boolean,
): MeteredCall | undefined {
  try {
    const session = findSession(settings)
    if (session === undefined) return undefined
    const part = unmeteredPart(model, options)
    if (part !== undefined && settings.unmetered !== 'observe') throw new UnmeteredRequest(part)
    options.signal?.throwIfAborted()
    return new MeteredCall(
      session,
      readBounds(model, messages, options, isStreamed, settings),
      options.signal,
    )
  } catch (refusal) {
    throw final(refusal)
  }
}

/** Tells whoever tries again in LangChain that there is no use; what others hold may be free later. */
function final(error: unknown): unknown {
  if (!WritError.isInstance(error) || error.code === 'ERR_BUDGET_RESERVED') return error
  return stampRetryable(error, false)
}

/** Waits no longer than the session and its caller do: not every model listens to its signal. */
async function unlessStopped<T>(call: MeteredCall, work: PromiseLike<T>): Promise<T> {
  const { signal } = call
  let onAbort: (() => void) | undefined
  const stopped = new Promise<never>((_resolve, reject) => {
    onAbort = () => reject(call.stopped === undefined ? signal.reason : call.stopped.reason)
    if (signal.aborted) onAbort()
    else signal.addEventListener('abort', onAbort)
  })
  try {
    const result = await Promise.race([work, stopped])
    if (call.stopped !== undefined) throw call.stopped.reason
    return result
  } finally {
    if (onAbort !== undefined) signal.removeEventListener('abort', onAbort)
  }
}

/**
 * Settles a call that failed.
 *
 * @param isBegun whether anything of the answer came: then it is charged.
 * @returns what its caller is to see.
 */
function failed(call: MeteredCall, error: unknown, isBegun: boolean): unknown {
  const { stopped } = call
  const status = !isBegun && error instanceof Error && 'status' in error ? error.status : undefined
  try {
    if (typeof status === 'number') call.refuse({ name: 'HttpError', code: `HTTP_${status}` })
    else if (!isBegun && isNeverSent(error)) call.refuse(error)
  } catch (refusal) {
    return final(refusal)
  }
  call.stop(error)
  return final(stopped === undefined ? error : stopped.reason)
}

function leave(parts: AsyncGenerator<unknown> | undefined): void {
  void Promise.resolve(parts?.return(undefined)).catch(() => undefined)
}
