import { createOpenAI as createOpenAI6 } from '@ai-sdk/openai'
import * as ai6 from 'ai'
import * as ai7 from 'ai-7'
import { createOpenAI as createOpenAI7 } from 'ai-sdk-openai-4'
import { type GovernedModelOptions, governModel } from 'writ/ai-sdk'
import { MODEL } from './suite.js'

export type Ai = typeof ai6
export type Model = ReturnType<ReturnType<typeof createOpenAI6>['chat']>

/** Both majors, under the types of the one that is the peer here. */
export const MAJORS = [
  { major: 6, spec: 'v3', ai: ai6, createOpenAI: createOpenAI6 },
  {
    major: 7,
    spec: 'v4',
    ai: ai7 as unknown as Ai,
    createOpenAI: createOpenAI7 as unknown as typeof createOpenAI6,
  },
] as const
export type Major = (typeof MAJORS)[number]

export type Call = readonly [name: string, input: unknown]
/** What the model says in one turn: a text, or calls of tools. */
export type Turn = string | readonly Call[]

const usage = {
  inputTokens: { total: 10, noCache: 10, cacheRead: 0, cacheWrite: 0 },
  outputTokens: { total: 20, text: 20, reasoning: 0 },
}

interface Asked {
  readonly prompt: readonly { readonly role: string; readonly content: unknown }[]
  readonly tools?: readonly unknown[]
}

/** A governed model that says what is written down, turn by turn, and then `done`. */
export function scripted(spec: Major['spec'], script: readonly Turn[], options?: GovernedModelOptions) {
  const asked: Asked[] = []
  const next = (params: unknown) => {
    asked.push(params as Asked)
    const at = asked.length - 1
    const turn = script[at] ?? 'done'
    const content =
      typeof turn === 'string'
        ? [{ type: 'text', text: turn }]
        : turn.map(([toolName, input], index) => ({
            type: 'tool-call',
            toolCallId: `call-${at}-${index}`,
            toolName,
            input: JSON.stringify(input),
          }))
    const unified = typeof turn === 'string' ? 'stop' : 'tool-calls'
    return { content, finishReason: { unified, raw: unified }, usage, warnings: [] }
  }
  const ungoverned = {
    specificationVersion: spec,
    provider: 'scripted',
    modelId: MODEL,
    supportedUrls: {},
    doGenerate: async (params: unknown) => next(params),
    doStream: async (params: unknown) => {
      const { content, finishReason } = next(params)
      const parts = [
        { type: 'stream-start', warnings: [] },
        ...(content as { text?: string }[]).flatMap((part): object[] =>
          part.text !== undefined
            ? [
                { type: 'text-start', id: 't' },
                { type: 'text-delta', id: 't', delta: part.text },
                { type: 'text-end', id: 't' },
              ]
            : [part],
        ),
        { type: 'finish', finishReason, usage },
      ]
      return { stream: ReadableStream.from(parts) }
    },
  } as unknown as Model
  /** What the model read as the results of tools, in order, in its last turn. */
  const read = (): unknown[] => {
    const messages = asked.at(-1)?.prompt.filter(({ role }) => role === 'tool') ?? []
    return messages
      .flatMap(({ content }) => content as { type: string; output: { type: string; value?: unknown } }[])
      .map(({ output }) => output)
  }
  return { model: governModel(ungoverned, options), ungoverned, asked, read }
}

/** Runs a prompt through `generateText` or `streamText`, to the end; rejects as a program that reads it sees. */
export async function run(
  ai: Ai,
  how: 'generateText' | 'streamText',
  options: Record<string, unknown>,
): Promise<{ readonly text: string; readonly parts: readonly { readonly type: string }[] }> {
  const given = { stopWhen: ai.stepCountIs(9), ...options } as never
  if (how === 'generateText') {
    const { text } = await ai.generateText(given)
    return { text, parts: [] }
  }
  const result = ai.streamText({ onError: () => undefined, ...(given as object) } as never)
  const parts: { readonly type: string }[] = []
  for await (const part of result.fullStream) parts.push(part as { type: string })
  return { text: await result.text, parts }
}
