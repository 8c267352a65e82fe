import type { ToolMessage } from '@langchain/core/messages'
import type { AgentMiddleware } from 'langchain'

type WrapToolCall = NonNullable<AgentMiddleware['wrapToolCall']>
/** A call of a tool, with all that LangChain knows of it. */
export type ToolRequest = Parameters<WrapToolCall>[0]
/** Runs a call of a tool, as LangChain does. */
export type ToolHandler = Parameters<WrapToolCall>[1]
/** What a tool of an agent gives to LangChain. */
export type ToolAnswer = Awaited<ReturnType<ToolHandler>> | ToolMessage

/** A call that an agent of LangChain makes and that the session has not let through yet. */
export interface RunningCall {
  /** The tool that the agent has for it. */
  readonly tool: object | undefined
  /** Runs that tool, with all that the agent hands to it. */
  readonly run: (input: unknown, signal: AbortSignal) => PromiseLike<ToolAnswer> | ToolAnswer
  /** Set when it was taken: what the tool calls itself is none of the agent's calls. */
  isTaken?: boolean
}

interface Storage {
  run<T>(store: RunningCall, callback: () => T): T
  getStore(): RunningCall | undefined
}

interface Host {
  readonly process?: {
    readonly getBuiltinModule?: (name: string) => { AsyncLocalStorage: new () => Storage } | undefined
  }
}

const hooks = (globalThis as Host).process?.getBuiltinModule?.('async_hooks')
const storage = hooks === undefined ? undefined : new hooks.AsyncLocalStorage()

/** Calls back as the call of an agent. */
export function asAgentCall<T>(call: RunningCall, dispatch: () => T): T {
  return storage === undefined ? dispatch() : storage.run(call, dispatch)
}

/** The agent's call of this tool that the session has let through, once. */
export function takeAgentCall(tool: object): RunningCall | undefined {
  const call = storage?.getStore()
  if (call?.tool !== tool || call.isTaken === true) return undefined
  call.isTaken = true
  return call
}
