import { createServer, type IncomingMessage, type ServerResponse } from 'node:http'
import type { AddressInfo } from 'node:net'
import type OpenAI from 'openai'
import { type Message, nextReply, type ToolCall } from './model-script.js'

/** A model API on the loopback interface. */
export interface ModelServer {
  /** For `new OpenAI({ baseURL })`. */
  readonly baseURL: string
  /** Completions that were answered. */
  readonly served: () => number
  close(): Promise<void>
}

type Request = OpenAI.Chat.Completions.ChatCompletionCreateParamsNonStreaming
type Completion = OpenAI.Chat.Completions.ChatCompletion

class ApiError extends Error {
  readonly status: number

  constructor(status: number, message: string) {
    super(message)
    this.status = status
  }
}

/** Starts a server that answers `POST /v1/chat/completions` as the OpenAI API does, with the scripted model. */
export async function startModelServer(): Promise<ModelServer> {
  let served = 0
  const server = createServer((request, response) => {
    answer(request, served + 1).then(
      (completion) => {
        served += 1
        send(response, 200, completion)
      },
      (error: unknown) => {
        const { status = 500, message } = error as Partial<ApiError>
        send(response, status, { error: { message, type: 'invalid_request_error', param: null, code: null } })
      },
    )
  })
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
  const { port } = server.address() as AddressInfo
  return {
    baseURL: `http://127.0.0.1:${port}/v1`,
    served: () => served,
    close: () =>
      new Promise((resolve, reject) => {
        server.close((error) => (error ? reject(error) : resolve()))
        server.closeAllConnections()
      }),
  }
}

async function answer(request: IncomingMessage, number: number): Promise<Completion> {
  if (request.method !== 'POST' || request.url !== '/v1/chat/completions')
    throw new ApiError(404, 'unknown endpoint')
  if (request.headers.authorization !== 'Bearer demo') throw new ApiError(401, 'wrong API key')
  let body = ''
  for await (const chunk of request.setEncoding('utf8')) body += chunk
  const { model, messages, tools } = JSON.parse(body) as Request
  assertAnswered(messages)

  const { content, calls } = nextReply(messages)
  const promptTokens = tokensIn(tools) + messages.reduce((sum, message) => sum + tokensIn(message), 0)
  const completionTokens = tokensIn({ content, calls })
  return {
    id: `chatcmpl-${number}`,
    object: 'chat.completion',
    created: Math.floor(Date.now() / 1000),
    model,
    choices: [
      {
        index: 0,
        finish_reason: calls.length > 0 ? 'tool_calls' : 'stop',
        logprobs: null,
        message: {
          role: 'assistant',
          content,
          refusal: null,
          ...(calls.length > 0
            ? { tool_calls: calls.map((call, index) => toolCall(call, `call_${number}_${index + 1}`)) }
            : {}),
        },
      },
    ],
    usage: {
      prompt_tokens: promptTokens,
      completion_tokens: completionTokens,
      total_tokens: promptTokens + completionTokens,
    },
  }
}

/** The API refuses a conversation in which a tool call has no answer. */
function assertAnswered(messages: readonly Message[]): void {
  const answered = new Set(
    messages.flatMap((message) => (message.role === 'tool' ? [message.tool_call_id] : [])),
  )
  for (const message of messages) {
    for (const { id } of (message.role === 'assistant' && message.tool_calls) || []) {
      if (!answered.has(id)) throw new ApiError(400, `no tool message answers ${id}`)
    }
  }
}

function toolCall(
  { name, args }: ToolCall,
  id: string,
): OpenAI.Chat.Completions.ChatCompletionMessageToolCall {
  return { id, type: 'function', function: { name, arguments: args } }
}

/** About four characters to a token, as in English text. */
function tokensIn(value: unknown): number {
  return Math.ceil((JSON.stringify(value) ?? '').length / 4)
}

function send(response: ServerResponse, status: number, body: unknown): void {
  response.writeHead(status, { 'content-type': 'application/json' }).end(JSON.stringify(body))
}
