import type { FunctionTool, RunContext } from '@openai/agents'
import type { AnySession } from '../../index.js'

/** A function tool of the SDK, whatever its context and input. */
// biome-ignore lint/suspicious/noExplicitAny: the SDK's own type for a tool of any context and input
export type SdkTool = FunctionTool<any, any, any>

/** What a tool of the SDK is handed beside its input. */
export interface RunningCall {
  readonly tool: SdkTool
  readonly runContext: RunContext<unknown>
  readonly details: NonNullable<Parameters<SdkTool['invoke']>[2]> | undefined
}

/** The calls that a run makes, by session, name and the model's id. */
const running = new WeakMap<AnySession, Map<string, RunningCall[]>>()

const keyOf = (name: string, id: string): string => `${name}\n${id}`

/** Notes with what a run calls a tool. @returns forgets it. */
export function noteCall(session: AnySession, id: string, call: RunningCall): () => void {
  const calls = running.get(session) ?? new Map<string, RunningCall[]>()
  running.set(session, calls)
  const key = keyOf(call.tool.name, id)
  calls.set(key, [...(calls.get(key) ?? []), call])
  return () => {
    const rest = (calls.get(key) ?? []).filter((other) => other !== call)
    if (rest.length === 0) calls.delete(key)
    else calls.set(key, rest)
  }
}

/** With what a run called the tool; `undefined` where no run did, and where more than one may have. */
export function findCall(session: AnySession, name: string, id: string | undefined): RunningCall | undefined {
  const found = id === undefined ? undefined : running.get(session)?.get(keyOf(name, id))
  return found?.length === 1 ? found[0] : undefined
}
