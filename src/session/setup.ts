import type { AuditLog } from '../audit/log.js'
import type { ScopeKeys } from '../audit/scope/scope-key.js'
import type { ApprovalSetup } from '../contract/approval-options.js'
import type { Limits } from '../contract/budget.js'
import type { CredentialIssuer } from '../contract/credential.js'
import type { Prices } from '../contract/prices.js'
import type { Registry } from '../contract/registry.js'
import type { Clock } from '../core/clock.js'
import type { Deadlines } from './deadlines.js'
import type { ParsedLoops } from './loop-options.js'
import type { Above } from './rolling.js'

/** What all sessions of an agent have in common. */
export interface AgentSetup {
  readonly identity: string
  readonly log: AuditLog
  readonly prices: Prices
  readonly clock: Clock
  readonly deadlines: Deadlines
  /** What signs the credentials of its sessions, if anything does. */
  readonly credentials: CredentialIssuer | undefined
  readonly scopeKeys: ScopeKeys | undefined
  readonly approvals: ApprovalSetup
  /** How calls that go round in circles are stopped; `undefined` when they are not. */
  readonly loops: ParsedLoops | undefined
  /** Its sessions that have not ended. */
  readonly sessions: Set<OpenSession>
}

/** A session as its agent ends it. */
export interface OpenSession {
  readonly id: string
  cancel(reason: unknown): void
  end(outcome: 'completed' | 'failed'): void
}

/** What one session is opened with. */
export interface SessionSetup {
  readonly user: string
  readonly task: string | undefined
  readonly limits: Limits
  readonly registry: Registry
  /** True when the session it is nested in has delegated to it, so that its grant bounds it. */
  readonly isDelegated: boolean
  /** The rolling limits above it; `undefined` for an agent that has none. */
  readonly above: Above | undefined
}
