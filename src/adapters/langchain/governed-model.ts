import { BaseChatModel } from '@langchain/core/language_models/chat_models'
import { type Runnable, RunnableBinding, RunnableSequence } from '@langchain/core/runnables'
import { breakableStream } from './breakable-stream.js'
import { generate, streamChunks, streamModelEvents } from './metered-model.js'
import { type GovernedModelOptions, readModelOptions } from './model-options.js'
import type { ChatModel } from './model-request.js'

/** Models whose calls go through a session. */
const governed = new WeakSet<object>()

/** A model that finds the one that answers by the options of each call, as `initChatModel` makes them. */
interface ConfigurableModel {
  _getModelInstance(options?: unknown): Promise<ChatModel>
}

/**
 * A chat model whose calls are held in the session before they are made, charged once however they end, and
 * cut off at a limit: invoked, streamed, in batches, with tools, with structured output. One model serves any
 * number of sessions. The model itself is left as it is; what it has beside its calls, the governed one has too.
 *
 * What is refused rejects as it is: {@link NoSession}, {@link BudgetExceeded}, {@link BudgetReserved},
 * {@link UnpricedModel}, {@link UnmeteredRequest}.
 *
 * @throws TypeError or RangeError for options that are not usable, and TypeError for something that is no chat
 *   model: bind tools and configuration to the governed model, not before.
 * @example
 * const model = governedModel(new ChatOpenAI({ model: 'gpt-5', maxTokens: 500 }))
 * await agent.session('alice', () => model.invoke('hello'))
 * @see COVERAGE for what is metered and what is not
 */
export function governedModel<M extends ChatModel>(model: M, options: GovernedModelOptions = {}): M {
  const settings = readModelOptions('governedModel', options, ['model'])
  if (!isChatModel(model)) {
    throw new TypeError(
      'governedModel: expected a chat model of @langchain/core; bind tools and configuration afterwards',
    )
  }
  return govern(model, settings)
}

/** Whether {@link governedModel} made it. */
function isGovernedModel(model: unknown): boolean {
  return typeof model === 'object' && model !== null && governed.has(model)
}

/**
 * As {@link governedModel}, for whatever LangChain has in the place of a model.
 *
 * @throws TypeError for what has a model in it that cannot be reached.
 */
export function governRunnable(runnable: unknown, settings: GovernedModelOptions): unknown {
  if (isGovernedModel(runnable)) return runnable
  if (isChatModel(runnable)) return govern(runnable, settings)
  if (RunnableBinding.isRunnableBinding(runnable)) {
    const { bound, config, kwargs, configFactories } = runnable
    const inner = governRunnable(bound, settings) as Runnable
    if (inner === bound) return runnable
    return new RunnableBinding({
      bound: inner,
      config,
      ...(kwargs === undefined ? {} : { kwargs }),
      ...(configFactories === undefined ? {} : { configFactories }),
    })
  }
  assertNoModel(runnable, 0)
  return runnable
}

function govern<M extends ChatModel>(model: M, settings: GovernedModelOptions): M {
  if (governed.has(model)) return model
  const made: M = Object.create(model)
  governed.add(made)
  describing(made, model)
  const members = isConfigurable(model) ? resolving(model, settings) : metering(made, model, settings)
  for (const [name, value] of Object.entries({ ...members, ...binding(made, model, settings) })) {
    Object.defineProperty(made, name, { value, writable: true, configurable: true })
  }
  return made
}

/** Members that say something of a model and make no calls. */
const DESCRIPTIONS = [
  'invocationParams',
  'getLsParams',
  'getNumTokens',
  'profile',
  'callKeys',
  '_llmType',
  '_identifyingParams',
  '_combineLLMOutput',
] as const

/** Descriptions come from the model itself: what is private to its class, no other object has. */
function describing(made: ChatModel, model: ChatModel): void {
  const members = model as unknown as Readonly<Record<string, unknown>>
  for (const name of DESCRIPTIONS) {
    const get = (): unknown => {
      const member = members[name]
      return typeof member === 'function' ? member.bind(model) : member
    }
    if (name in model) Object.defineProperty(made, name, { get, configurable: true })
  }
}

/** The calls of a model that answers itself. */
function metering(made: ChatModel, model: ChatModel, settings: GovernedModelOptions): Partial<ChatModel> {
  const { _streamResponseChunks, _streamChatModelEvents } = BaseChatModel.prototype
  return {
    _generate: (messages, options, ...rest) => generate(model, settings, messages, { ...options }, rest),
    stream: breakableStream((input, options) => model.stream.call(made, input, options)),
    // LangChain tells by them whether a model can stream.
    ...(model._streamResponseChunks === _streamResponseChunks
      ? {}
      : {
          _streamResponseChunks: (messages, options, ...rest) =>
            streamChunks(model, settings, messages, { ...options }, rest),
        }),
    ...(model._streamChatModelEvents === _streamChatModelEvents
      ? {}
      : {
          _streamChatModelEvents: (messages, options, ...rest) =>
            streamModelEvents(model, settings, messages, { ...options }, rest),
        }),
  }
}

/** A model that finds others finds governed ones, and leaves the calls to them. */
function resolving(model: ConfigurableModel, settings: GovernedModelOptions): ConfigurableModel {
  return {
    _getModelInstance: async (options) =>
      governRunnable(await model._getModelInstance(options), settings) as ChatModel,
  }
}

/** What makes other models of a model. Some of them are new ones, and have to be governed too. */
function binding(made: ChatModel, model: ChatModel, settings: GovernedModelOptions): Partial<ChatModel> {
  return {
    withConfig: (config) => governRunnable(model.withConfig(config), settings) as never,
    ...(model.bindTools === undefined
      ? {}
      : {
          bindTools: (...args: Parameters<NonNullable<ChatModel['bindTools']>>) =>
            governRunnable(model.bindTools?.(...args), settings) as never,
        }),
    withStructuredOutput: ((...args: Parameters<ChatModel['withStructuredOutput']>) =>
      governRunnable(
        model.withStructuredOutput.apply(made, args),
        settings,
      )) as ChatModel['withStructuredOutput'],
  }
}

const MAX_DEPTH = 16

/** @throws TypeError for a chain with a model in it that is not governed. */
function assertNoModel(runnable: unknown, depth: number): void {
  if (isGovernedModel(runnable) || typeof runnable !== 'object' || runnable === null) return
  if (isChatModel(runnable) || depth > MAX_DEPTH) {
    throw new TypeError('governedModel: the model makes another one of itself, which cannot be governed')
  }
  const parts: unknown[] = RunnableBinding.isRunnableBinding(runnable)
    ? [runnable.bound]
    : RunnableSequence.isRunnableSequence(runnable)
      ? runnable.steps
      : 'steps' in runnable
        ? Object.values(runnable.steps ?? {})
        : 'runnable' in runnable
          ? [runnable.runnable, ...('fallbacks' in runnable ? [runnable.fallbacks].flat() : [])]
          : []
  for (const part of parts) assertNoModel(part, depth + 1)
}

function isChatModel(value: unknown): value is ChatModel {
  const model = value as Partial<ChatModel> | null | undefined
  return typeof model?._generate === 'function' && typeof model._streamResponseChunks === 'function'
}

function isConfigurable(model: object): model is ConfigurableModel {
  return '_getModelInstance' in model && typeof model._getModelInstance === 'function'
}
