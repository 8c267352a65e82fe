import type { ParsedUsage } from '../contract/usage.js'
import { errorText } from '../core/error-text.js'
import { quote } from '../core/json-text.js'
import { formatUsd, type NanoUsd } from '../core/money.js'

/** How a model call was charged. */
export interface Charge {
  readonly costUsd: NanoUsd | undefined
  readonly pricedBy: string
  /** `reported`: by the provider. `estimated`: what was held or made out, because nobody said. `refused`: the report could not be charged. */
  readonly metering: 'reported' | 'estimated' | 'refused'
  readonly enforcement: 'enforced' | 'observed'
  /** True for a call reported to a session that was dead already. */
  readonly late: boolean
  readonly error: unknown
}

export function llmCall(
  model: string,
  usage: ParsedUsage | undefined,
  tokens: number,
  charge: Charge,
): string {
  const counts =
    usage === undefined
      ? `"tokens":${tokens}`
      : `"input_tokens":${usage.inputTokens},"output_tokens":${usage.outputTokens},"cached_input_tokens":${usage.cachedInputTokens},"cache_write_tokens":${usage.cacheWriteTokens}${kept1h(usage)},"reasoning_tokens":${usage.reasoningTokens}`
  const cost = charge.costUsd === undefined ? 'null' : formatUsd(charge.costUsd)
  const latency =
    usage?.latencyMs === undefined ? '' : `,"latency_ms":${Math.round(usage.latencyMs * 1000) / 1000}`
  const error = charge.error === undefined ? '' : `,"error":${errorText(charge.error)}`
  const late = charge.late ? ',"late":true' : ''
  return `{"model":${quote(model)},${counts},"cost_usd":${cost},"priced_by":${quote(charge.pricedBy)},"metering":"${charge.metering}"${latency}${error}${late},"enforcement":"${charge.enforcement}"}`
}

/** Only where there are any: few providers keep a cache that long. */
function kept1h({ cacheWrite1hTokens }: ParsedUsage): string {
  return cacheWrite1hTokens === 0 ? '' : `,"cache_write_1h_tokens":${cacheWrite1hTokens}`
}

export function charge(usd: NanoUsd, tokens: number, metering: 'reported' | 'estimated'): string {
  return `{"usd":${formatUsd(usd)},"tokens":${tokens},"metering":"${metering}","enforcement":"enforced"}`
}
