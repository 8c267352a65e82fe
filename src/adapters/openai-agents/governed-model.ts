import type { Model, ModelProvider, ModelRequest, ModelResponse, StreamEvent } from '@openai/agents'
import { type AnySession, UnmeteredRequest, WritError } from '../../index.js'
import { failed, statusOf, unlessStopped } from '../metered/failed-call.js'
import { findSession } from '../metered/find-session.js'
import { MeteredCall } from '../metered/metered-call.js'
import { meteredStream } from '../metered/metered-stream.js'
import { asOutermost } from '../metered/outermost.js'
import { type GovernedFetchOptions, readFetchOptions } from '../metered/settings.js'
import { readBounds, unmeteredPart } from './model-request.js'
import { chargeReply, eventMeter } from './model-usage.js'

/** What {@link governedProvider} can be told. */
export interface GovernedProviderOptions extends Omit<GovernedFetchOptions, 'fetch'> {
  /** The model that is priced where a run names none and its provider chooses. */
  readonly model?: string
}

/** What {@link governedModel} is told. */
export interface GovernedModelOptions extends GovernedProviderOptions {
  /** The name that the model has in the prices. */
  readonly model: string
}

type Settings = Omit<GovernedFetchOptions, 'fetch'> & { readonly model: string }

/**
 * A provider whose models are governed by {@link governedModel}.
 *
 * @throws TypeError or RangeError for options that are not usable. `getModel` throws a TypeError where neither
 *   the run nor `model` says which model it is.
 * @example
 * const runner = new Runner({ modelProvider: governedProvider(new OpenAIProvider()) })
 * await agent.session('alice', () => runner.run(governAgent(triage), question))
 */
export function governedProvider(
  provider: ModelProvider,
  options: GovernedProviderOptions = {},
): ModelProvider {
  if (typeof provider?.getModel !== 'function') {
    throw new TypeError('governedProvider: expected a model provider')
  }
  const { model: fallback, ...settings } = readModelOptions('governedProvider', options)
  return {
    getModel: async (name) => {
      const model = name === undefined || name === '' ? fallback : name
      if (model === undefined) {
        throw new TypeError('governedProvider: name the model of the agent, or give `model` to price it by')
      }
      return governedModel(await provider.getModel(name), { ...settings, model })
    },
  }
}

/**
 * A model whose calls are held in the session before they are made, charged once however they end, and cut
 * off at a limit. One model serves any number of sessions.
 *
 * What is refused rejects as it is: {@link NoSession}, {@link BudgetExceeded}, {@link BudgetReserved},
 * {@link UnpricedModel}, {@link UnmeteredRequest}.
 *
 * @throws TypeError or RangeError for options that are not usable.
 * @see COVERAGE for what is metered and what is not
 */
export function governedModel(model: Model, options: GovernedModelOptions): Model {
  if (typeof model?.getResponse !== 'function') throw new TypeError('governedModel: expected a model')
  const { model: name, ...rest } = readModelOptions('governedModel', options)
  if (name === undefined) throw new TypeError('governedModel.model: expected the name of the model')
  const settings: Settings = { ...rest, model: name }
  return {
    ...(model.supportsPromptModelSelection === undefined
      ? {}
      : { supportsPromptModelSelection: model.supportsPromptModelSelection }),
    getResponse: (request) => getResponse(model, request, settings),
    getStreamedResponse: (request) => getStreamedResponse(model, request, settings),
    getRetryAdvice: (args) =>
      // What the session refuses stays refused.
      args.error instanceof WritError ? { suggested: false } : model.getRetryAdvice?.(args),
  }
}

async function getResponse(model: Model, request: ModelRequest, settings: Settings): Promise<ModelResponse> {
  const session = admit(request, settings)
  if (session === undefined) return model.getResponse(request)
  const call = begin(session, request, false, settings)
  try {
    const sent = { ...request, signal: call.signal }
    const reply = await unlessStopped(
      call,
      asOutermost(() => model.getResponse(sent)),
    )
    chargeReply(call, reply)
    call.detach()
    return reply
  } catch (error) {
    throw failed(call, error, statusOf(error), false)
  }
}

async function* getStreamedResponse(
  model: Model,
  request: ModelRequest,
  settings: Settings,
): AsyncGenerator<StreamEvent, void, undefined> {
  const session = admit(request, settings)
  if (session === undefined) {
    yield* model.getStreamedResponse(request)
    return
  }
  const call = begin(session, request, true, settings)
  const sent = { ...request, signal: call.signal }
  yield* meteredStream(call, {
    open: () => model.getStreamedResponse(sent)[Symbol.asyncIterator](),
    note: eventMeter(call),
    fail: (error, isBegun) => failed(call, error, statusOf(error), isBegun),
  })
}

/** The session that pays. @throws what refuses the call. */
function admit(request: ModelRequest, settings: Settings): AnySession | undefined {
  const session = findSession(settings)
  const part = session === undefined ? undefined : unmeteredPart(request)
  if (part !== undefined && settings.unmetered !== 'observe') throw new UnmeteredRequest(part)
  return session
}

function begin(
  session: AnySession,
  request: ModelRequest,
  isStreamed: boolean,
  settings: Settings,
): MeteredCall {
  request.signal?.throwIfAborted()
  return new MeteredCall(session, readBounds(settings.model, request, isStreamed, settings), request.signal)
}

function readModelOptions<O extends GovernedProviderOptions>(label: string, options: O): Readonly<O> {
  if ('fetch' in Object(options)) throw new TypeError(`${label}: unknown option fetch`)
  const read = readFetchOptions(label, options, ['model'])
  const { model } = read
  if (model !== undefined && (typeof model !== 'string' || model === '')) {
    throw new TypeError(`${label}.model: expected the name of a model`)
  }
  return read
}
