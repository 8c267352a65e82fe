import OpenAI from 'openai'
import { Agent, AuditSink, type Budget, type LlmRequest, type Session, type ToolSet } from 'writ'
import { runAgent, type Step } from './agent-loop.js'
import { startModelServer } from './model-server.js'
import type { Workspace } from './workspace.js'

export const IDENTITY = 'office-assistant/v1'
export const USER = 'marta'
export const TASK = 'Write a short summary of every document in the inbox.'
export const MODEL = 'scripted-1'
export const PRICE = { inputUsdPerMTok: 2.5, outputUsdPerMTok: 10 }
const MAX_OUTPUT_TOKENS = 400
export const BUDGET = {
  usd: 0.12,
  tokens: 100_000,
  toolCalls: 40,
  llmCalls: 40,
  denials: 8,
  wallMs: 60_000,
} as const satisfies Budget

/** How the work went. */
export interface Outcome {
  /** The session, which is over. */
  readonly session: Session
  /** The promise of `agent.session()`, settled. */
  readonly result: PromiseSettledResult<string | null>
  readonly steps: readonly Step[]
  /** What was to be held for the last model call, and what was left just before. */
  readonly lastRequest: { readonly atMost: LlmRequest; readonly usdLeft: number }
  /** Model calls that reached the server. */
  readonly served: number
}

export interface WorkOptions {
  readonly workspace: Workspace
  readonly tools: ToolSet
  readonly budget?: Budget
  /** Told of every tool call, with the session as it is after it. */
  readonly onStep?: (step: Step, session: Session) => void
}

/** Lets the assistant work on the task, with the scripted model behind the real OpenAI SDK. */
export async function work({ workspace, tools, budget = BUDGET, onStep }: WorkOptions): Promise<Outcome> {
  const server = await startModelServer()
  // A retry would be another call, which nothing was reserved for.
  const client = new OpenAI({ baseURL: server.baseURL, apiKey: 'demo', maxRetries: 0 })

  const agent = new Agent({
    identity: IDENTITY,
    budget,
    tools,
    prices: { [MODEL]: PRICE },
    audit: AuditSink.file(workspace.log),
  })

  const steps: Step[] = []
  const seen: { session?: Session; lastRequest?: Outcome['lastRequest'] } = {}
  const working = agent.session(
    USER,
    (s) => {
      seen.session = s
      return runAgent(s, {
        client,
        model: MODEL,
        tools: agent.toolSchemas('openai'),
        task: TASK,
        maxOutputTokens: MAX_OUTPUT_TOKENS,
        atMost: (messages) => {
          const atMost = mostTokens(JSON.stringify([messages, agent.toolSchemas('openai')]))
          seen.lastRequest = { atMost, usdLeft: s.remaining().usd ?? Number.POSITIVE_INFINITY }
          return atMost
        },
        onStep: (step) => {
          steps.push(step)
          onStep?.(step, s)
        },
      })
    },
    { task: TASK },
  )
  const [result] = await Promise.allSettled([working])
  await agent.close()
  await server.close()
  const { session, lastRequest } = seen
  if (session === undefined || lastRequest === undefined)
    throw new Error('the session did not open', { cause: result })
  return { session, result, steps, lastRequest, served: server.served() }
}

/**
 * What is held for a model call: its output is bounded by the request, and a token of input is taken for
 * three characters, which is too many tokens rather than too few.
 */
function mostTokens(input: string): LlmRequest {
  const inputTokens = Math.ceil(input.length / 3)
  const usd = (inputTokens * PRICE.inputUsdPerMTok + MAX_OUTPUT_TOKENS * PRICE.outputUsdPerMTok) / 1_000_000
  return { model: MODEL, maxTokens: inputTokens + MAX_OUTPUT_TOKENS, maxUsd: usd }
}
