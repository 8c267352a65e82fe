import { type Members, membersOf } from '../metered/members.js'
import type { MeteredCall, ReportedTokens } from '../metered/metered-call.js'
import { textBytes, utf8Bytes } from '../metered/text-size.js'
import { readUsage } from '../openai/usage.js'

/**
 * What `usage_metadata` says. A call without input is none, so that and nothing but zeros say nothing: LangChain
 * and some providers put zeros where they do not know.
 */
function reportedUsage(usage: unknown): ReportedTokens | undefined {
  const members = membersOf(usage)
  const { input_tokens, output_tokens, total_tokens } = members ?? {}
  if (!input_tokens && !total_tokens) return undefined
  const input = membersOf(members?.['input_token_details'])
  const reported = readUsage({
    usage: {
      input_tokens,
      output_tokens,
      total_tokens,
      input_tokens_details: {
        cached_tokens: input?.['cache_read'],
        cache_write_tokens: input?.['cache_creation'],
      },
      output_tokens_details: {
        reasoning_tokens: membersOf(members?.['output_token_details'])?.['reasoning'],
      },
    },
  })
  const hour = input?.['ephemeral_1h_input_tokens']
  return reported === undefined || typeof hour !== 'number'
    ? reported
    : { ...reported, cacheWrite1hTokens: hour }
}

/** Whether text came and none is in the report. */
function isPartial({ outputTokens }: ReportedTokens, bytes: number): boolean {
  return outputTokens === 0 && bytes > 0
}

/** Adds up what the chunks of one stream say: LangChain has each chunk report its own part. */
function addUsage(sum: Members | undefined, usage: unknown): Members | undefined {
  const members = membersOf(usage)
  if (members === undefined) return sum
  const total: Record<string, unknown> = { ...sum }
  for (const [name, value] of Object.entries(members)) {
    const before = total[name]
    if (typeof value === 'number') total[name] = (typeof before === 'number' ? before : 0) + value
    else total[name] = addUsage(membersOf(before), value)
  }
  return total
}

/** Text that a message or a chunk brings, in bytes, each part once however often it is in it. */
function messageBytes(message: unknown): number {
  const { content, tool_call_chunks, tool_calls, additional_kwargs } = membersOf(message) ?? {}
  const calls = Array.isArray(tool_call_chunks) && tool_call_chunks.length > 0 ? tool_call_chunks : tool_calls
  const {
    tool_calls: raw,
    function_call,
    ...more
  } = { ...membersOf(additional_kwargs) } as Record<string, unknown>
  const hasCalls = Array.isArray(calls) && calls.length > 0
  return (
    // Some providers have the calls of tools in the content as well.
    Math.max(contentBytes(content), textOf(content) + callBytes(calls)) +
    (hasCalls ? 0 : contentBytes(raw) + contentBytes(function_call)) +
    contentBytes(more)
  )
}

function callBytes(calls: unknown): number {
  if (!Array.isArray(calls)) return 0
  return calls.reduce<number>((sum, call) => {
    const { name, args } = membersOf(call) ?? {}
    return sum + contentBytes(name) + contentBytes(args)
  }, 0)
}

/** The blocks of content that are no calls of tools. */
function textOf(content: unknown): number {
  if (!Array.isArray(content)) return contentBytes(content)
  const text = content.filter((block) => !/tool|json|function/.test(String(membersOf(block)?.['type'])))
  return contentBytes(text)
}

/** As `textBytes`, without what only says what a block is. */
function contentBytes(value: unknown): number {
  if (typeof value === 'string') return utf8Bytes(value)
  if (Array.isArray(value)) return value.reduce<number>((sum, one) => sum + contentBytes(one), 0)
  const members = membersOf(value)
  if (members === undefined) return 0
  const { type: _type, id: _id, ...rest } = members
  return textBytes(rest)
}

/** Charges an answer that is whole. @throws as `finish`. */
export function chargeAnswer(call: MeteredCall, generations: readonly { readonly message: unknown }[]): void {
  let bytes = 0
  let usage: Members | undefined
  for (const { message } of generations) {
    bytes += messageBytes(message)
    // Each choice has the usage of the whole answer.
    usage ??= membersOf(membersOf(message)?.['usage_metadata'])
  }
  const reported = reportedUsage(usage)
  if (reported !== undefined && !isPartial(reported, bytes)) {
    call.finish(reported)
    return
  }
  call.receive(bytes, reported, true)
  call.finishUnreported()
}

/** Meters one stream, chunk by chunk. */
export class StreamMeter {
  readonly #call: MeteredCall
  #bytes = 0
  #usage: Members | undefined
  #isStale = false
  /** Bytes seen of blocks that come as a whole each time, by their place. */
  readonly #blocks = new Map<unknown, number>()

  constructor(call: MeteredCall) {
    this.#call = call
  }

  /** Notes a chunk. @throws as `receive`, when a limit is crossed. */
  chunk(message: unknown): void {
    const usage = membersOf(membersOf(message)?.['usage_metadata'])
    this.#usage = addUsage(this.#usage, usage)
    this.#note(messageBytes(message), usage !== undefined)
  }

  /** Notes an event of a model that streams events. @throws as `receive`, when a limit is crossed. */
  event(event: unknown): void {
    const { event: kind, index, delta, usage } = membersOf(event) ?? {}
    // What an event reports is what has been used so far, or a part of that.
    const isReport = membersOf(usage) !== undefined
    if (isReport) this.#usage = { ...this.#usage, ...membersOf(usage) }
    this.#note(kind === 'content-block-delta' ? this.#deltaBytes(index, membersOf(delta)) : 0, isReport)
  }

  #deltaBytes(index: unknown, delta: Members | undefined): number {
    if (delta?.['type'] !== 'block-delta') return contentBytes(delta)
    // Fields have all that there is of them so far.
    const bytes = contentBytes(delta['fields'])
    const before = this.#blocks.get(index) ?? 0
    this.#blocks.set(index, Math.max(bytes, before))
    return Math.max(bytes - before, 0)
  }

  #note(bytes: number, isReport: boolean): void {
    this.#bytes += bytes
    // What comes after a report is not in it: some providers begin with one, and end with another.
    if (isReport) this.#isStale = false
    else if (bytes > 0) this.#isStale = true
    const reported = reportedUsage(this.#usage)
    if (bytes === 0 && reported === undefined) return
    const isOpen = reported !== undefined && (this.#isStale || isPartial(reported, this.#bytes))
    this.#call.receive(bytes, reported, isOpen)
  }
}
