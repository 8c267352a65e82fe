import type { Tool as SdkTool, ToolSet as SdkToolSet } from 'ai'
import {
  type AnySession,
  type OpenAiToolSchema,
  type Session,
  type Tool,
  type ToolSet,
  UnmeteredRequest,
} from '../../index.js'
import { findSession, type SessionChoice } from '../metered/find-session.js'
import { type Members, membersOf } from '../metered/members.js'
import { readCallOptions } from '../metered/settings.js'
import { isCallerTool } from './request.js'
import { uncheckedSchema } from './schema.js'
import { dispatchCall, isGenerator, type SdkCallOptions, streamCall } from './tool-call.js'

/** What governing tools can be told. */
export interface GovernToolsOptions extends SessionChoice {
  /**
   * Who is asked about a call that needs an approval. `session`, the default: the agent's `approve`, while the
   * call waits. `ui`: whoever answers the SDK's `tool-approval-request`; the agent needs {@link uiApproval}.
   */
  readonly approvals?: 'session' | 'ui'
  /**
   * What happens to tools that the provider executes. `refuse`, the default: {@link UnmeteredRequest}.
   * `observe`: they stay as they are.
   */
  readonly unmetered?: 'refuse' | 'observe'
}

/** Whose tools {@link toTools} makes tools of the SDK of: an `Agent` of this package. */
interface ToolOwner<Tools extends ToolSet> {
  readonly identity: string
  open(userId: string): Session<Tools>
  toolSchemas(format: 'openai'): readonly OpenAiToolSchema[]
}

/** The tools of an agent, as the SDK has them. */
export type SdkTools<Tools extends ToolSet> = {
  [Name in keyof Tools & string]: Tools[Name] extends Tool<infer In, infer Out>
    ? SdkTool<In extends { readonly '~standard': { readonly types?: infer T } } ? InputOf<T> : unknown, Out>
    : never
}
type InputOf<Types> = NonNullable<Types> extends { readonly input: infer Input } ? Input : unknown

type Execute = (input: unknown, options: SdkCallOptions) => unknown
type NeedsApproval = (input: unknown, options: SdkCallOptions) => boolean | PromiseLike<boolean>

const governed = new WeakSet<object>()

/**
 * Tools of the SDK whose calls go through the session. A call runs the tool of its name, in lower case, in the
 * agent of the session: {@link fromTool} makes that of the SDK's own. What is not registered there does not
 * run. A denial is an error of the tool that the model reads. A tool without `execute` stays as it is.
 *
 * @throws TypeError for something that is no set of tools, for two names that differ in case alone, and for
 *   options that are not usable.
 * @throws {@link UnmeteredRequest} (ERR_UNMETERED_REQUEST) for a tool that the provider executes.
 * @example
 * const { text } = await generateText({ model, tools: governTools({ lookUp }), prompt })
 */
export function governTools<Tools extends SdkToolSet>(tools: Tools, options: GovernToolsOptions = {}): Tools {
  const settings = readToolOptions('governTools', options)
  if (membersOf(tools) === undefined) throw new TypeError('governTools: expected an object of tools')
  const names = new Map<string, string>()
  const entries = Object.entries(tools).map(([toolName, tool]) => {
    const name = toolName.toLowerCase()
    const other = names.get(name)
    if (other !== undefined) throw new TypeError(`governTools: ${other} and ${toolName} are both ${name}`)
    names.set(name, toolName)
    return [toolName, governTool(toolName, tool, settings)] as const
  })
  return Object.fromEntries(entries) as Tools
}

/**
 * The tools of an agent as tools of the SDK, with their descriptions and schemas. Their calls go through the
 * session they are made in, which checks the input: what it refuses is on record.
 *
 * @throws RangeError for a tool whose name or schema model APIs do not take.
 * @throws TypeError for something that is no agent, and for options that are not usable.
 * @example
 * const { text } = await generateText({ model, tools: toTools(agent), prompt })
 */
export function toTools<Tools extends ToolSet>(
  owner: ToolOwner<Tools>,
  options: GovernToolsOptions = {},
): SdkTools<Tools> {
  const settings = readToolOptions('toTools', options)
  if (typeof owner?.toolSchemas !== 'function') throw new TypeError('toTools: expected an Agent of writ')
  const entries = owner.toolSchemas('openai').map(({ function: { name, description, parameters } }) => {
    const tool = {
      ...(description === undefined ? {} : { description }),
      inputSchema: uncheckedSchema(parameters),
      execute: (): never => {
        throw new TypeError(`toTools: ${name} runs in a session alone`)
      },
    }
    return [name, governTool(name, tool, { ...settings, outside: 'refuse' })] as const
  })
  return Object.fromEntries(entries) as unknown as SdkTools<Tools>
}

function governTool(toolName: string, tool: object, settings: GovernToolsOptions): object {
  const { execute, type, id, args, needsApproval } = membersOf(tool) ?? {}
  if (governed.has(tool)) return tool
  if (typeof execute !== 'function') {
    const isProvider = type !== undefined && type !== 'function' && type !== 'dynamic'
    if (isProvider && settings.unmetered !== 'observe' && !isCallerTool(id, args)) {
      throw new UnmeteredRequest(`the tool ${JSON.stringify(id ?? toolName)} of the provider`)
    }
    return tool
  }
  const name = toolName.toLowerCase()
  const through = (execute as Execute).bind(tool)
  const copy: Members = {
    ...tool,
    execute: (input: unknown, options: SdkCallOptions = {}): unknown => {
      const session = findSession(settings)
      if (session === undefined) return through(input, options)
      const call = { toolName, name, tool, input, options }
      return isGenerator(execute) ? streamCall(session, call) : dispatchCall(session, call)
    },
    ...approvalsOf(name, tool, needsApproval, settings),
  }
  governed.add(copy)
  return copy
}

/** When the SDK asks. Nobody is asked twice, and no call that somebody wants to be asked about is left out. */
function approvalsOf(
  name: string,
  tool: object,
  given: unknown,
  settings: GovernToolsOptions,
): { readonly needsApproval?: NeedsApproval } {
  const isUi = settings.approvals === 'ui'
  if (!isUi && (given === undefined || given === false)) return {}
  return {
    needsApproval: async (input, options) => {
      const own = typeof given === 'function' ? await given.call(tool, input, options) : given === true
      const session = findSession(settings)
      if (session === undefined) return own
      const asks = await contractAsks(session, name, input)
      return isUi ? own || asks : own && !asks
    },
  }
}

async function contractAsks(session: AnySession, name: string, input: unknown): Promise<boolean> {
  const decision = await (session as Session).authorize(name, input)
  return decision.allowed && decision.needsApproval === true
}

function readToolOptions(label: string, options: GovernToolsOptions): Readonly<GovernToolsOptions> {
  for (const name of ['assumeOutputTokens', 'estimateInputTokens']) {
    if (name in Object(options)) throw new TypeError(`${label}: unknown option ${name}`)
  }
  const settings = readCallOptions<GovernToolsOptions>(label, options, ['approvals'])
  const { approvals } = settings
  if (approvals !== undefined && approvals !== 'session' && approvals !== 'ui') {
    throw new TypeError(`${label}.approvals: expected 'session' or 'ui'`)
  }
  return settings
}
