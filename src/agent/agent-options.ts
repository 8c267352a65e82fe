import { parseScopeKeys } from '../audit/scope/scope-key.js'
import type { ScopeKeys } from '../audit/scope/scope-keys.js'
import type { AuditSink, CompositeSink } from '../audit/sink.js'
import { APPROVAL_OPTIONS, type ApprovalOptions } from '../contract/approval-options.js'
import type { Budget } from '../contract/budget.js'
import type { CredentialIssuer } from '../contract/credential.js'
import type { PriceOptions } from '../contract/prices.js'
import type { Registry } from '../contract/registry.js'
import type { RollingLimits } from '../contract/rolling-limits.js'
import type { ToolSet } from '../contract/tool.js'
import type { Clock } from '../core/clock.js'
import type { LoopOptions } from '../session/loop-options.js'

/** What an agent is made of. */
export interface AgentOptions<Tools extends ToolSet = ToolSet> extends ApprovalOptions {
  /** `name` or `name/version` of `a-z 0-9 . _ -`, at most 128 characters. */
  readonly identity: string
  /** The limits of every session; at least one. */
  readonly budget: Budget
  /** The tools it may call; none when absent. What is not here does not run. */
  readonly tools?: Tools
  /** Where its records go. Agents that are given the same sink share its chain. */
  readonly audit: AuditSink | CompositeSink
  /** What models cost. Without it, sessions limited in US dollars need `costUsd` for every call. */
  readonly prices?: PriceOptions
  /** Signs what `session.credential()` hands out: `credentialIssuer()` of `writ/principal`. */
  readonly credentials?: CredentialIssuer
  /** Keys of the commitments that its tools' `commit` asks for, one for each user; needed only with such tools. */
  readonly scopeKeys?: ScopeKeys
  /** Limits over its sessions, beside those of each: per user, per agent, within a time that moves along. */
  readonly limits?: RollingLimits
  /** Stops calls that go round in circles; `true` for the defaults, nothing when absent. */
  readonly loops?: LoopOptions | boolean
  /** Where time comes from; for tests. */
  readonly clock?: Clock
}

/** The names of the options. */
export const OPTIONS: readonly (keyof AgentOptions)[] = [
  'identity',
  'budget',
  'tools',
  'audit',
  'prices',
  'credentials',
  'scopeKeys',
  'limits',
  'loops',
  'clock',
  ...APPROVAL_OPTIONS,
]

/** @throws TypeError when a tool commits to values and there are no keys for that. */
export function readScopeKeys(given: unknown, registry: Registry): ScopeKeys | undefined {
  if (given !== undefined) return parseScopeKeys('scopeKeys', given)
  const { committing } = registry
  if (committing === undefined) return undefined
  throw new TypeError(`scopeKeys: missing, and tools.${committing} has commit; see ScopeKeys`)
}
