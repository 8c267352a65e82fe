import type { DenialReason } from './denial-reason.js'
import type { LimitName, RollingLimitName, Usage, WindowLabel } from './limits.js'

/** Survives two copies of the package in one process, where `instanceof` does not. */
const BRAND = Symbol.for('writ.error')

/** Every `code` a {@link WritError} can carry. Codes follow semantic versioning; messages do not. */
export type WritErrorCode =
  | 'ERR_BUDGET_EXCEEDED'
  | 'ERR_BUDGET_RESERVED'
  | 'ERR_TOOL_NOT_PERMITTED'
  | 'ERR_TOOL_TIMEOUT'
  | 'ERR_TOOL_OUTPUT_INVALID'
  | 'ERR_SESSION_CLOSED'
  | 'ERR_SESSION_REVOKED'
  | 'ERR_NO_SESSION'
  | 'ERR_USAGE_INVALID'
  | 'ERR_UNMETERED_REQUEST'
  | 'ERR_UNPRICED_MODEL'
  | 'ERR_LIMITS_UNAVAILABLE'
  | 'ERR_AUDIT_UNAVAILABLE'
  | 'ERR_AUDIT_LOCKED'
  | 'ERR_AUDIT_DAMAGED'
  | 'ERR_SCOPE_KEY_UNAVAILABLE'
  | 'ERR_RUNTIME_UNSUPPORTED'
  | 'ERR_CREDENTIAL_INVALID'
  | 'ERR_TOOL_CRASHED'
  | 'ERR_TOOL_KILLED'

/** The base of every error that Writ itself raises, apart from `TypeError` and `RangeError` for misuse. */
export abstract class WritError extends Error {
  abstract readonly code: WritErrorCode

  /** True for an error of this package, also when it comes from another copy of the package. */
  static isInstance(value: unknown): value is WritError {
    return typeof value === 'object' && value !== null && (value as { [BRAND]?: unknown })[BRAND] === true
  }

  static {
    Object.defineProperty(WritError.prototype, BRAND, { value: true })
  }
}

/** A limit of the session, or of one it is nested in, is used up. The session is dead. */
export class BudgetExceeded extends WritError {
  override readonly name = 'BudgetExceeded'
  readonly code = 'ERR_BUDGET_EXCEEDED'
  /** The limit that was hit. */
  readonly limit: LimitName | RollingLimitName
  /** Consumption of that limit when it was hit, in the limit's unit. */
  readonly used: number
  /** The limit itself, in the same unit. */
  readonly max: number
  /** Everything the session whose limit it is had consumed. */
  readonly usage: Usage
  /** Whose rolling limit it is; absent for a limit of a session. */
  readonly scope?: 'user' | 'agent'
  /** Milliseconds that the rolling limit looks back. */
  readonly windowMs?: number

  constructor(
    limit: LimitName | RollingLimitName,
    used: number,
    max: number,
    usage: Usage,
    options?: ErrorOptions & { window?: WindowLabel | undefined },
  ) {
    const rest = used < max ? `; what was asked for does not fit in the rest` : ''
    const window = options?.window
    const span = window === undefined ? '' : ` per ${window.scope} in ${window.windowMs} ms`
    super(`budget exceeded: ${limit} is limited to ${max}${span}, ${used} is used${rest}`, options)
    this.limit = limit
    this.used = used
    this.max = max
    this.usage = usage
    if (window === undefined) return
    this.scope = window.scope
    this.windowMs = window.windowMs
  }
}

/** The amount asked for does not fit only because calls in flight hold the rest. Worth retrying. */
export class BudgetReserved extends WritError {
  override readonly name = 'BudgetReserved'
  readonly code = 'ERR_BUDGET_RESERVED'
  readonly limit: 'usd' | 'tokens'
  /** What was asked for. */
  readonly asked: number
  /** What is neither spent nor held. */
  readonly left: number
  /** What calls in flight hold. */
  readonly held: number

  constructor(limit: 'usd' | 'tokens', asked: number, left: number, held: number) {
    super(`budget reserved: asked for ${asked} ${limit}, ${left} left while calls in flight hold ${held}`)
    this.limit = limit
    this.asked = asked
    this.left = left
    this.held = held
  }
}

/** One fault in an input: where it is and what kind it is. */
export interface Issue {
  readonly path: readonly (string | number)[]
  readonly code: string
  readonly message: string
}

/** A tool call was denied; the tool did not run. */
export class ToolNotPermitted extends WritError {
  override readonly name = 'ToolNotPermitted'
  readonly code = 'ERR_TOOL_NOT_PERMITTED'
  readonly tool: string
  readonly reason: DenialReason
  readonly issues?: readonly Issue[]

  constructor(
    message: string,
    tool: string,
    reason: DenialReason,
    options?: ErrorOptions & { issues?: readonly Issue[] },
  ) {
    super(message, options)
    this.tool = tool
    this.reason = reason
    if (options?.issues !== undefined) this.issues = options.issues
  }
}

/** A tool ran longer than its `timeoutMs`. It may still be running and may still have its effect. */
export class ToolTimeout extends WritError {
  override readonly name = 'ToolTimeout'
  readonly code = 'ERR_TOOL_TIMEOUT'
  readonly tool: string
  readonly timeoutMs: number

  constructor(tool: string, timeoutMs: number) {
    super(`tool ${tool} did not finish within ${timeoutMs} ms`)
    this.tool = tool
    this.timeoutMs = timeoutMs
  }
}

/** A tool ran and returned something its `outputSchema` refuses. */
export class ToolOutputInvalid extends WritError {
  override readonly name = 'ToolOutputInvalid'
  readonly code = 'ERR_TOOL_OUTPUT_INVALID'
  readonly tool: string
  readonly issues: readonly Issue[]

  constructor(tool: string, issues: readonly Issue[], options?: ErrorOptions) {
    super(`tool ${tool} returned what its outputSchema refuses`, options)
    this.tool = tool
    this.issues = issues
  }
}

/** The session has ended, or a session it is nested in has. */
export class SessionClosed extends WritError {
  override readonly name = 'SessionClosed'
  readonly code = 'ERR_SESSION_CLOSED'
  readonly sessionId: string

  constructor(sessionId: string, options?: ErrorOptions) {
    super(`session ${sessionId} has ended`, options)
    this.sessionId = sessionId
  }
}

/** There is no current session where one is needed. */
export class NoSession extends WritError {
  override readonly name = 'NoSession'
  readonly code = 'ERR_NO_SESSION'

  constructor() {
    super('no session is open here: call this inside the callback of agent.session(), or pass the session')
  }
}

/** The log cannot take a record, so nothing that needs one may happen. */
export class AuditUnavailable extends WritError {
  override readonly name = 'AuditUnavailable'
  readonly code = 'ERR_AUDIT_UNAVAILABLE'
  readonly path?: string

  constructor(message: string, options?: ErrorOptions & { path?: string }) {
    super(`audit log unavailable: ${message}`, options)
    if (options?.path !== undefined) this.path = options.path
  }
}

/** Another writer has the log open. */
export class AuditLocked extends WritError {
  override readonly name = 'AuditLocked'
  readonly code = 'ERR_AUDIT_LOCKED'
  readonly path: string
  readonly holder?: string

  constructor(path: string, options?: ErrorOptions & { holder?: string; advice?: string }) {
    super(
      `audit log ${path} already has a writer${options?.holder === undefined ? '' : ` (${options.holder})`}: give the agents of one process one sink to share, and every process a file of its own ({pid} in its path)${options?.advice ?? ''}`,
      options,
    )
    this.path = path
    if (options?.holder !== undefined) this.holder = options.holder
  }
}

/** The log on disk does not hold together, so nothing may be appended to it. */
export class AuditDamaged extends WritError {
  override readonly name = 'AuditDamaged'
  readonly code = 'ERR_AUDIT_DAMAGED'
  readonly path: string
  /** The verifier's verdict. */
  readonly verdict: string
  /** Sequence number of the first line that is wrong. */
  readonly seq: number
  /** Byte offset of that line. */
  readonly offset: number

  constructor(path: string, verdict: string, seq: number, offset: number, detail: string) {
    super(
      `audit log ${path} is ${verdict} at record ${seq}, byte ${offset} (${detail}): keep the file as evidence, move it away and start a new one`,
    )
    this.path = path
    this.verdict = verdict
    this.seq = seq
    this.offset = offset
  }
}

/** This runtime lacks what the call needs (a file system, an async context). */
export class RuntimeUnsupported extends WritError {
  override readonly name = 'RuntimeUnsupported'
  readonly code = 'ERR_RUNTIME_UNSUPPORTED'

  constructor(what: string, needs: string) {
    super(`${what} needs ${needs}, which this runtime does not have`)
  }
}
