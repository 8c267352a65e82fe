import type { FunctionTool, RunContext } from '@openai/agents'
import { RunningCalls } from '../metered/running-calls.js'

/** A function tool of the SDK, whatever its context and input. */
// biome-ignore lint/suspicious/noExplicitAny: the SDK's own type for a tool of any context and input
export type SdkTool = FunctionTool<any, any, any>

/** What a tool of the SDK is handed beside its input. */
export interface RunningCall {
  readonly tool: SdkTool
  readonly runContext: RunContext<unknown>
  readonly details: NonNullable<Parameters<SdkTool['invoke']>[2]> | undefined
}

/** The calls that runs make. */
export const runningCalls: RunningCalls<RunningCall> = new RunningCalls()
