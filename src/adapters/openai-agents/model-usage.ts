import type { StreamEvent } from '@openai/agents'
import { membersOf } from '../metered/members.js'
import type { MeteredCall, ReportedTokens } from '../metered/metered-call.js'
import { textBytes, utf8Bytes } from '../metered/text-size.js'
import { readEvent } from '../openai/events.js'
import { readUsage } from '../openai/usage.js'

type Members = Readonly<Record<string, unknown>>

/**
 * What a model says that a call used. The SDK makes zeros of what a provider did not say, so nothing but
 * zeros says nothing.
 */
function reportedUsage(usage: unknown): ReportedTokens | undefined {
  const members = membersOf(usage)
  if (members === undefined) return undefined
  const { inputTokens, outputTokens, totalTokens, inputTokensDetails, outputTokensDetails } = members
  if (!inputTokens && !outputTokens && !totalTokens) return undefined
  return readUsage({
    usage: {
      input_tokens: inputTokens,
      output_tokens: outputTokens,
      total_tokens: totalTokens,
      input_tokens_details: sum(inputTokensDetails),
      output_tokens_details: sum(outputTokensDetails),
    },
  })
}

/** Details come as one object, or as a list with one for each request. */
function sum(details: unknown): Members {
  const total: Record<string, number> = {}
  for (const entry of Array.isArray(details) ? details : [details]) {
    for (const [name, value] of Object.entries(membersOf(entry) ?? {})) {
      if (typeof value === 'number') total[name] = (total[name] ?? 0) + value
    }
  }
  return total
}

/** Charges a reply that is whole. @throws as `finish`. */
export function chargeReply(call: MeteredCall, reply: { usage: unknown; output: unknown }): void {
  const reported = reportedUsage(reply.usage)
  if (reported !== undefined) {
    call.finish(reported)
    return
  }
  call.receive(textBytes(reply.output))
  call.finishUnreported()
}

/**
 * Meters the events of one stream as they arrive. Text comes twice: as the provider sent it, with arguments of
 * tools and reasoning in it, and as text alone. The larger of the two counts.
 */
export function eventMeter(call: MeteredCall): (event: StreamEvent) => void {
  let rawBytes = 0
  let deltaBytes = 0
  let counted = 0
  return (event) => {
    if (event.type === 'response_done') {
      const reported = reportedUsage(event.response.usage)
      if (reported !== undefined) call.finish(reported)
      return
    }
    if (event.type === 'model') rawBytes += readEvent(event.event, false).textBytes
    else if (event.type === 'output_text_delta') deltaBytes += utf8Bytes(event.delta)
    const bytes = Math.max(rawBytes, deltaBytes)
    if (bytes === counted) return
    call.receive(bytes - counted)
    counted = bytes
  }
}
