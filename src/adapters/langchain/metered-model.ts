import { stampRetryable } from '@langchain/core/errors'
import type { BaseMessage } from '@langchain/core/messages'
import type { ChatGenerationChunk, ChatResult } from '@langchain/core/outputs'
import { UnmeteredRequest, WritError } from '../../index.js'
import { failed, statusOf, unlessStopped } from '../metered/failed-call.js'
import { findSession } from '../metered/find-session.js'
import { MeteredCall } from '../metered/metered-call.js'
import { meteredStream } from '../metered/metered-stream.js'
import { asOutermost } from '../metered/outermost.js'
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
      true,
    )
    chargeAnswer(call, answer.generations)
    call.detach()
    return answer
  } catch (error) {
    throw seen(call, error, false)
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
  yield* meteredStream(call, {
    open: () => ask({ ...options, signal: call.signal }),
    note: (part) => note(meter, part),
    fail: (error, isBegun) => seen(call, error, isBegun),
    heedsCaller: true,
  })
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

/** Settles a call that failed. @returns what its caller is to see. */
function seen(call: MeteredCall, error: unknown, isBegun: boolean): unknown {
  return final(failed(call, error, statusOf(error), isBegun))
}
