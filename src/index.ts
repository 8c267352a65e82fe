export { Agent } from './agent/agent.js'
export type { AgentOptions } from './agent/agent-options.js'
export type {
  AnthropicToolSchema,
  JsonSchema,
  McpToolSchema,
  OpenAiToolSchema,
  ToolSchemas,
} from './agent/tool-schemas.js'
export type { AuditRecord, EventName, RecordedBudget } from './audit/event.js'
export { generateSigningKey, type SigningKeyPair } from './audit/note/generate-signing-key.js'
export type { ErasableScopeKeys, ScopeKey } from './audit/scope/scope-key.js'
export { ScopeKeys } from './audit/scope/scope-keys.js'
export type {
  AuditSink as CustomSink,
  ChainHead,
  CompositeSink,
  SealedRecord,
  SinkHost,
} from './audit/sink.js'
export type {
  AnySession,
  LlmRequest,
  ModelReservation,
  Remaining,
  Reservation,
  ReserveRequest,
  Spent,
} from './contract/any-session.js'
export {
  type ApprovalAnswer,
  ApprovalFailure,
  type ApprovalHandler,
  type ApprovalRequest,
  type ApprovalStore,
} from './contract/approval.js'
export type { ApprovalOptions } from './contract/approval-options.js'
export type { Budget } from './contract/budget.js'
export type {
  CredentialGrant,
  CredentialIssuer,
  CredentialOptions,
  PublicJwk,
} from './contract/credential.js'
export type { Decision } from './contract/decision.js'
export type { LeaseAnswer, LeaseRequest, LimitStore, WindowAmounts } from './contract/limit-store.js'
export type {
  ModelPrice,
  PriceOptions,
  PriceSource,
  PriceTable,
  PriceTier,
  TokenPrice,
} from './contract/prices.js'
export type { RollingLimit, RollingLimits } from './contract/rolling-limits.js'
export type {
  CallOptions,
  Delegate,
  Denial,
  DispatchOptions,
  DispatchRequest,
  DispatchResult,
  PendingCall,
  Session,
  SessionOptions,
  SyncSession,
} from './contract/session-types.js'
export type { StandardSchema } from './contract/standard-schema.js'
export {
  defineTool,
  type Tool,
  type ToolContext,
  type ToolDefinition,
  type ToolSet,
} from './contract/tool.js'
export type { LlmUsage } from './contract/usage.js'
export type { Clock } from './core/clock.js'
export type { DenialReason } from './core/denial-reason.js'
export {
  AuditDamaged,
  AuditLocked,
  AuditUnavailable,
  BudgetExceeded,
  BudgetReserved,
  type Issue,
  NoSession,
  RuntimeUnsupported,
  SessionClosed,
  ToolNotPermitted,
  ToolOutputInvalid,
  ToolTimeout,
  WritError,
  type WritErrorCode,
} from './core/errors.js'
export type { LimitName, RollingLimitName, Usage } from './core/limits.js'
export { LimitsUnavailable } from './core/limits-unavailable.js'
export { ScopeKeyUnavailable } from './core/scope-key-unavailable.js'
export { SessionRevoked } from './core/session-revoked.js'
export { UnmeteredRequest, UnpricedModel, UsageInvalid } from './core/usage-errors.js'
export { currentSession, findCurrentSession } from './session/current.js'
export type { LoopOptions } from './session/loop-options.js'
export { AuditSink } from './sinks/audit-sink.js'
export type { CallbackSinkOptions, RecordCallback } from './sinks/callback.js'
export type { Durability } from './sinks/durability.js'
export type { FileSinkOptions } from './sinks/file.js'
export type { MemorySink, MemorySinkOptions } from './sinks/memory.js'
export type { RotationOptions } from './sinks/rotation.js'
export type { SigningOptions } from './sinks/signing-options.js'
export type {
  WebhookFetch,
  WebhookRequest,
  WebhookResponse,
  WebhookSinkOptions,
} from './sinks/webhook-options.js'
