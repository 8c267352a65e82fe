import { folderApproval, webhookApproval } from '../../../approvals.js'
import {
  type AgentOptions,
  type ApprovalHandler,
  AuditSink,
  type StandardSchema,
  type Tool,
  type ToolDefinition,
  type ToolSet,
} from '../../../index.js'
import { readToolName } from '../tool-name.js'
import { argumentSchema } from './argument-schema.js'
import type { ApprovalContract, AuditContract, Contract, ToolContract } from './contract.js'
import { ContractInvalid } from './contract-invalid.js'
import { type PathHost, pathHost } from './path-root.js'

/** What a contract says of a tool, for whoever makes the tool that forwards the call. */
export type ContractTool = Omit<
  ToolDefinition<StandardSchema, unknown, undefined>,
  'execute' | 'outputSchema'
>

/** What {@link contractAgent} needs to know that is not in the file. */
export interface ContractWorld {
  /** The folder of the contract file: relative paths in it begin here. */
  readonly folder: string
  /** Environment variables, for secrets that a contract names. Default: none. */
  readonly env?: Readonly<Record<string, string | undefined>>
  /** Instead of the log that the contract names. */
  readonly audit?: AgentOptions['audit']
  /** Who is asked, instead of whom the contract names. */
  readonly approve?: ApprovalHandler
  /** Makes the tool that forwards the call to the server, whose name there is given too: `mcpTool`. */
  readonly tool: (definition: ContractTool, name: string) => Tool<StandardSchema, unknown>
}

/** A contract as an agent. */
export interface ContractAgent {
  readonly agentOptions: AgentOptions
  /** The tools that may be called: the name on the server by the name in the agent. */
  readonly serverNames: ReadonlyMap<string, string>
  /** The file of accepted definitions, as an absolute path. */
  readonly pins: string | undefined
}

/**
 * What an agent is made of that enforces a contract: its tools take no arguments but those that the rules allow.
 *
 * @throws {@link ContractInvalid} for what shows only on this machine: a root of `under` that is not there, an
 *   environment variable that is not set, an approval endpoint that is not usable.
 * @throws as `AuditSink.file`.
 */
export function contractAgent(contract: Contract, world: ContractWorld): ContractAgent {
  const host = pathHost()
  const tools: Record<string, ToolSet[string]> = {}
  const serverNames = new Map<string, string>()
  for (const [name, tool] of contract.tools) {
    const own = readToolName(name)
    if (own === undefined) throw new TypeError(`contractAgent: ${name} is no name of a tool`)
    tools[own] = world.tool(toolOf(name, tool, host, world.folder), name)
    serverNames.set(own, name)
  }
  const { approvals } = contract
  const approve = world.approve ?? (approvals === undefined ? undefined : handlerOf(approvals, world, host))
  return Object.freeze({
    agentOptions: Object.freeze({
      identity: contract.identity,
      budget: contract.budget,
      tools: Object.freeze(tools),
      audit: world.audit ?? sinkOf(contract.audit, world.folder, host),
      loops: contract.loops,
      ...(approve === undefined ? {} : { approve }),
      ...(approvals === undefined ? {} : { approvalTimeoutMs: approvals.timeoutMs }),
    }),
    serverNames,
    pins: contract.pins === undefined ? undefined : host.path.resolve(world.folder, contract.pins),
  })
}

function toolOf(name: string, tool: ToolContract, host: PathHost, folder: string): ContractTool {
  const { approval, maxCalls, timeoutMs, readOnly, show } = tool
  return {
    inputSchema: at(['tools', name], () => argumentSchema(tool.arguments, host, folder)),
    readOnly,
    ...(approval === undefined ? {} : { approval }),
    ...(maxCalls === undefined ? {} : { maxCalls }),
    ...(timeoutMs === undefined ? {} : { timeoutMs }),
    ...(show === false ? {} : { redact: shownOf(show) }),
  }
}

function shownOf(show: true | readonly string[]): (input: unknown) => unknown {
  if (show === true) return (input) => input
  return (input) => {
    const members = input as Readonly<Record<string, unknown>>
    return Object.fromEntries(
      show.flatMap((name) => (Object.hasOwn(members, name) ? [[name, members[name]]] : [])),
    )
  }
}

function sinkOf(audit: AuditContract, folder: string, { path }: PathHost): AuditSink {
  const { file, durability, signing, rotation } = audit
  return AuditSink.file(path.resolve(folder, file), {
    durability,
    ...(rotation === undefined ? {} : { rotation }),
    ...(signing === undefined ? {} : { signing: { ...signing, key: path.resolve(folder, signing.key) } }),
  })
}

function handlerOf(approvals: ApprovalContract, world: ContractWorld, { path }: PathHost): ApprovalHandler {
  const { webhook, folder } = approvals
  if (webhook === undefined) return folderApproval(path.resolve(world.folder, folder ?? '.'))
  const secret = world.env?.[webhook.secretEnv]
  return at(['approvals', 'webhook'], () => {
    if (secret === undefined || secret === '') {
      throw new RangeError(`the environment variable ${webhook.secretEnv} is not set`)
    }
    return webhookApproval(webhook.url, { secret })
  })
}

/** Says where in the contract the fault is. */
function at<T>(path: readonly string[], make: () => T): T {
  try {
    return make()
  } catch (cause) {
    const pointer = path.map((step) => `/${step.replaceAll('~', '~0').replaceAll('/', '~1')}`).join('')
    throw new ContractInvalid([{ pointer, line: undefined, message: (cause as Error).message }], { cause })
  }
}
