import type { BedrockRuntimeClient, BedrockRuntimeClientConfig } from '@aws-sdk/client-bedrock-runtime'
import { type AnySession, UnmeteredRequest } from '../../index.js'
import { findSession } from '../metered/find-session.js'
import { observe } from '../metered/unmetered.js'
import { type Attempt, MeteredAttempt, Refused, UnmeteredAttempt } from './attempt.js'
import { governanceOf } from './coverage.js'
import { GovernedHandler } from './handler.js'
import { type ConverseRequest, readRequest } from './request.js'
import { type BedrockOptions, readOptions } from './settings.js'

/** `BedrockRuntimeClient`, or a class that is made of it. */
export type BedrockClientClass<Client extends BedrockRuntimeClient> = new (
  config: BedrockRuntimeClientConfig,
) => Client

interface Args {
  readonly input: unknown
  readonly request?: unknown
}
interface Result {
  readonly output: unknown
}
type Middleware = (
  next: (args: Args) => Promise<Result>,
  context: { readonly commandName?: string },
) => (args: Args) => Promise<Result>

/** The part of a client's stack that is used, untied from its commands. */
interface Stack {
  add(middleware: Middleware, where: { step: string; priority: 'high'; name: string }): void
}

/**
 * A Bedrock client whose Converse and ConverseStream are metered: each try is held in the session before it
 * is made, charged once however it ends, and cut off at a limit. One client serves any number of sessions:
 * each call is that of the session it is made in.
 *
 * A refusal reaches the caller of `send` as it is: {@link NoSession}, {@link BudgetExceeded},
 * {@link BudgetReserved}, {@link UnpricedModel}, {@link UnmeteredRequest}. The client does not try it again.
 *
 * @throws TypeError or RangeError for options that are not usable, and whatever the class throws.
 * @example
 * const bedrock = governed(BedrockRuntimeClient, { region: 'us-east-1' })
 * await agent.session('alice', () => bedrock.send(new ConverseCommand({ modelId, messages })))
 * @see COVERAGE for what is metered and what is not
 */
export function governed<Client extends BedrockRuntimeClient>(
  Client: BedrockClientClass<Client>,
  config: BedrockRuntimeClientConfig,
  options: BedrockOptions = {},
): Client {
  const settings = readOptions(options)
  const attempts = new WeakMap<object, Attempt>()
  const extension: NonNullable<BedrockRuntimeClientConfig['extensions']>[number] = {
    configure: (client) => client.setHttpHandler(new GovernedHandler(client.httpHandler(), attempts)),
  }
  // The last to extend the client: whatever another puts in the place of the handler is governed too.
  const client = new Client({ ...config, extensions: [...(config.extensions ?? []), extension] })
  const stack = client.middlewareStack as unknown as Stack
  stack.add(admission(client, settings), { step: 'initialize', priority: 'high', name: 'writAdmission' })
  // Within the retries, and around what reads the answer.
  stack.add(metering(attempts, settings), { step: 'deserialize', priority: 'high', name: 'writMetering' })
  return client
}

/** Once for each command that is sent: whether it may be made at all. */
function admission(client: BedrockRuntimeClient, settings: BedrockOptions): Middleware {
  return (next, { commandName = 'a command without a name' }) =>
    async (args) => {
      if (!(client.config.requestHandler instanceof GovernedHandler)) {
        throw new UnmeteredRequest('a request by another requestHandler than the client was made with')
      }
      const session = findSession(settings)
      if (session !== undefined) admit(session, commandName, args.input, settings)
      try {
        return await next(args)
      } catch (error) {
        throw error instanceof Refused ? error.refusal : error
      }
    }
}

/** Once for each try. */
function metering(attempts: WeakMap<object, Attempt>, settings: BedrockOptions): Middleware {
  return (next, { commandName = '' }) =>
    async (args) => {
      const attempt = begin(commandName, args.input, settings)
      attempts.set(args.request as object, attempt)
      try {
        const result = await next(args)
        return { ...result, output: attempt.finish(result.output) }
      } catch (error) {
        throw attempt.fail(error)
      }
    }
}

function begin(commandName: string, input: unknown, settings: BedrockOptions): Attempt {
  try {
    const session = findSession(settings)
    const governance = governanceOf(commandName)
    if (session === undefined || governance !== 'metered') return new UnmeteredAttempt(session?.signal)
    return new MeteredAttempt(session, readCommand(commandName, input, settings).bounds)
  } catch (refusal) {
    throw new Refused(refusal)
  }
}

function readCommand(commandName: string, input: unknown, settings: BedrockOptions): ConverseRequest {
  return readRequest(input, commandName === 'ConverseStreamCommand', settings)
}

function admit(session: AnySession, commandName: string, input: unknown, settings: BedrockOptions): void {
  const governance = governanceOf(commandName)
  let unmetered = governance === 'unmetered' ? commandName : undefined
  if (governance === 'metered') unmetered = readCommand(commandName, input, settings).unmetered
  if (unmetered !== undefined && settings.unmetered !== 'observe') throw new UnmeteredRequest(unmetered)
  if (governance === 'unmetered') observe(session, commandName)
  // Holds nothing, and so throws what ended the session, if anything has.
  if (governance === 'free') session.reserve({}).release()
}
