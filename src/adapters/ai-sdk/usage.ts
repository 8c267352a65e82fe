import { type Members, membersOf, numberAt } from '../metered/members.js'
import type { MeteredCall, ReportedTokens } from '../metered/metered-call.js'
import { textBytes, utf8Bytes } from '../metered/text-size.js'

/**
 * What a model says that a call used, in the shape that version 6 and 7 of the SDK have, or in the flat one of
 * older models. Where the parts and the sums of a report do not agree, the larger figure counts.
 *
 * @returns `undefined` where it says nothing.
 */
function readUsage(usage: unknown): ReportedTokens | undefined {
  const members = membersOf(usage)
  if (members === undefined) return undefined
  const ofInput = membersOf(members['inputTokens'])
  const ofOutput = membersOf(members['outputTokens'])
  const cachedInputTokens = numberAt(ofInput, 'cacheRead') ?? numberAt(members, 'cachedInputTokens') ?? 0
  const cacheWriteTokens = numberAt(ofInput, 'cacheWrite') ?? 0
  const reasoningTokens = numberAt(ofOutput, 'reasoning') ?? numberAt(members, 'reasoningTokens') ?? 0
  const cache = cachedInputTokens + cacheWriteTokens
  const input = totalOf(members, 'inputTokens') ?? plus(numberAt(ofInput, 'noCache'), cache)
  const output = totalOf(members, 'outputTokens') ?? plus(numberAt(ofOutput, 'text'), reasoningTokens)
  const total = numberAt(members, 'totalTokens')
  if (input === undefined && output === undefined && total === undefined) return undefined

  const stated = input ?? (output === undefined ? (total ?? 0) : 0)
  const inputTokens = cache > stated ? stated + cache : stated
  const counted = Math.max(output ?? 0, (total ?? 0) - inputTokens)
  const outputTokens = reasoningTokens > counted ? counted + reasoningTokens : counted
  const writtenForAnHour = numberAt(
    membersOf(membersOf(members['raw'])?.['cache_creation']),
    'ephemeral_1h_input_tokens',
  )
  return {
    inputTokens,
    outputTokens,
    cachedInputTokens,
    cacheWriteTokens,
    reasoningTokens,
    ...(writtenForAnHour === undefined
      ? {}
      : { cacheWrite1hTokens: Math.min(writtenForAnHour, cacheWriteTokens) }),
  }
}

/** A sum as version 6 and 7 have it, or as a plain number. */
function totalOf(usage: Members, name: string): number | undefined {
  return numberAt(usage, name) ?? numberAt(membersOf(usage[name]), 'total')
}

function plus(part: number | undefined, rest: number): number | undefined {
  return part === undefined ? undefined : part + rest
}

/** Charges a reply that is whole. @throws as `finish`. */
export function chargeReply(call: MeteredCall, reply: unknown): void {
  const reported = readUsage(membersOf(reply)?.['usage'])
  if (reported !== undefined) {
    call.finish(reported)
    return
  }
  const content = membersOf(reply)?.['content']
  let bytes = 0
  for (const part of Array.isArray(content) ? content : []) bytes += outputBytes(membersOf(part) ?? {})
  call.receive(bytes)
  call.finishUnreported()
}

/** Parts that say something about the output, and are none of it. */
const NO_OUTPUT: ReadonlySet<unknown> = new Set([
  'stream-start',
  'response-metadata',
  'raw',
  'error',
  'text-start',
  'text-end',
  'reasoning-start',
  'reasoning-end',
  'tool-input-end',
])

/** The bytes of what a model made, in one part of its output. */
function outputBytes(part: Members): number {
  const { type, delta, text, data } = part
  if (NO_OUTPUT.has(type)) return 0
  if (typeof delta === 'string') return utf8Bytes(delta)
  if (typeof text === 'string') return utf8Bytes(text)
  if (type === 'tool-call') return textBytes([part['toolName'], part['input']])
  if (type === 'tool-input-start') return textBytes(part['toolName'])
  if (data !== undefined) return dataBytes(data)
  const { type: _type, id: _id, providerMetadata: _metadata, ...made } = part
  return textBytes(made)
}

function dataBytes(data: unknown): number {
  if (ArrayBuffer.isView(data)) return data.byteLength
  const members = membersOf(data)
  return members === undefined ? textBytes(data) : dataBytes(members['data'] ?? members['text'] ?? '')
}

/** Meters the parts of one stream as they arrive. @throws as `receive` and `finish`. */
export function partMeter(call: MeteredCall): (part: unknown) => void {
  const streamed = new Set<unknown>()
  return (given) => {
    const part = membersOf(given) ?? {}
    const { type } = part
    if (type === 'finish') {
      const reported = readUsage(part['usage'])
      if (reported === undefined) call.finishUnreported()
      else call.finish(reported)
      return
    }
    // The input of a tool comes in pieces, and then again as a whole.
    if (type === 'tool-input-delta') streamed.add(part['id'])
    if (type === 'tool-call' && streamed.has(part['toolCallId'])) return
    const bytes = outputBytes(part)
    if (bytes > 0) call.receive(bytes)
  }
}
