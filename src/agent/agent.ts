import { AuditLog } from '../audit/log.js'
import { parseSink } from '../audit/parse-sink.js'
import type { ApprovalAnswer, ApprovalRequest } from '../contract/approval.js'
import { parseApprovals } from '../contract/approval-options.js'
import { type Budget, LIMIT_NAMES, parseBudget } from '../contract/budget.js'
import { parseIssuer } from '../contract/credential.js'
import { parseClock, parseIdentity, readEnvironment } from '../contract/options.js'
import { Prices } from '../contract/prices.js'
import { Registry } from '../contract/registry.js'
import type { DispatchResult, Session, SessionOptions, SyncSession } from '../contract/session-types.js'
import type { ToolSet } from '../contract/tool.js'
import { systemClock } from '../core/clock.js'
import { AuditUnavailable, RuntimeUnsupported, SessionClosed } from '../core/errors.js'
import { readFunction, readOptions } from '../core/guards.js'
import { openToken } from '../session/approval-token.js'
import { hasAsyncContext } from '../session/async-context.js'
import type { SessionCore } from '../session/core.js'
import { Deadlines } from '../session/deadlines.js'
import { registerDelegate } from '../session/delegation.js'
import { parseLoops } from '../session/loop-options.js'
import { RollingGuard } from '../session/rolling.js'
import { AsyncSession } from '../session/session.js'
import type { OpenSession } from '../session/setup.js'
import { fileSink } from '../sinks/file.js'
import { type AgentOptions, OPTIONS, readScopeKeys } from './agent-options.js'
import { processEnv } from './environment.js'
import { type AgentRules, open, openLater, prepare } from './opening.js'
import { resumedOptions, runResumed } from './resume.js'
import { NOBODY, runSession, runSessionSync } from './run.js'
import { type ToolSchemas, toolSchemas } from './tool-schemas.js'

/**
 * An identity, limits, tools and a log: what its sessions may do, fixed at construction.
 *
 * @example
 * const agent = new Agent({ identity: 'support-bot/v1', budget: { usd: 5 }, tools: { refund }, audit })
 * await agent.session('alice', (s) => s.callTool('refund', { orderId: 4521 }))
 */
export class Agent<const Tools extends ToolSet = Record<never, never>> {
  readonly identity: string
  readonly #rules: AgentRules
  #closing: Promise<void> | undefined

  /**
   * Parses and copies every option, and opens the log, so that a log that cannot be written fails here.
   *
   * @throws TypeError or RangeError for an option that is unknown, missing or not usable, saying which.
   * @throws {@link AuditUnavailable} (ERR_AUDIT_UNAVAILABLE) when the log cannot be opened.
   * @throws {@link AuditLocked} (ERR_AUDIT_LOCKED) when it has another writer.
   * @throws {@link AuditDamaged} (ERR_AUDIT_DAMAGED) when it does not hold together.
   * @throws {@link RuntimeUnsupported} (ERR_RUNTIME_UNSUPPORTED) for `depth` where nested sessions cannot be seen.
   */
  constructor(options: AgentOptions<Tools>) {
    const given = readOptions('Agent', options, OPTIONS)
    this.identity = parseIdentity(given.identity)
    const limits = parseBudget('budget', given.budget)
    if (limits.depth !== Number.POSITIVE_INFINITY && !hasAsyncContext) {
      throw new RuntimeUnsupported('budget.depth', 'an async context (AsyncLocalStorage)')
    }
    const registry = Registry.from('tools', given.tools ?? {})
    const scopeKeys = readScopeKeys(given.scopeKeys, registry)
    const prices = Prices.from('prices', given.prices)
    const clock = given.clock === undefined ? systemClock : parseClock(given.clock)
    const rolling =
      given.limits === undefined ? undefined : new RollingGuard(given.limits, this.identity, clock)
    const loops = parseLoops('loops', given.loops)
    const log = AuditLog.of(parseSink('audit', given.audit), clock)
    const credentials = given.credentials === undefined ? undefined : parseIssuer(given.credentials)
    const shared = { deadlines: new Deadlines(clock), sessions: new Set<OpenSession>() }
    const { identity } = this
    const approvals = parseApprovals(given)
    const own = { identity, log, prices, clock, credentials, scopeKeys, approvals, loops, ...shared }
    this.#rules = Object.freeze({ setup: Object.freeze(own), limits, registry, rolling })
    registerDelegate(this, {
      run: (parent, options, callback) =>
        this.#run('delegate', parent.setup.user, options, callback as () => unknown, parent),
      runSync: (parent, options, callback) =>
        this.#runSync('delegate', parent.setup.user, options, callback as () => unknown, parent),
    })
  }

  /**
   * An agent whose identity, budget and log come from the environment where the options do not say:
   * `WRIT_AGENT_IDENTITY`, `WRIT_BUDGET_USD`, `_TOKENS`, `_WALL_MS`, `_TOOL_CALLS`, `_LLM_CALLS`, `_DEPTH`,
   * `_DENIALS`, `WRIT_AUDIT_FILE`. A budget in the options wins limit by limit.
   *
   * @throws as the constructor, and RangeError naming a variable that does not parse.
   */
  static fromEnv<const Tools extends ToolSet = Record<never, never>>(
    options: Partial<AgentOptions<Tools>> = {},
    env: { readonly [name: string]: string | undefined } = processEnv(),
  ): Agent<Tools> {
    const given = readOptions('Agent.fromEnv', options, OPTIONS) as Partial<AgentOptions<Tools>>
    const { identity, budget, auditFile } = readEnvironment(env)
    return new Agent<Tools>({
      ...(identity === undefined ? {} : { identity }),
      ...(auditFile === undefined || given.audit !== undefined ? {} : { audit: fileSink(auditFile) }),
      ...given,
      ...(budget === undefined ? {} : { budget: { ...budget, ...limitsIn(given.budget) } }),
    } as AgentOptions<Tools>)
  }

  /**
   * Opens a session for one user, runs the callback in it and ends it.
   *
   * A session that was killed rejects with the {@link BudgetExceeded} that killed it, even when the callback
   * caught that error and returned a value. Limits on spend and time, and the caller's signal, reject at
   * once, whatever the callback is waiting for.
   *
   * @throws {@link BudgetExceeded} (ERR_BUDGET_EXCEEDED), {@link AuditUnavailable} (ERR_AUDIT_UNAVAILABLE), the
   *   reason of `options.signal`, or whatever the callback throws.
   */
  async session<T>(
    userId: string,
    callback: (session: Session<Tools>) => Promise<T> | T,
    options: SessionOptions<keyof Tools & string> = {},
  ): Promise<T> {
    return this.#run('session', userId, options, callback)
  }

  /**
   * As {@link session}, for synchronous tools: nothing is awaited, and a running tool cannot be
   * interrupted, so time is checked before and after it.
   *
   * @throws as {@link session}; TypeError when the callback returns a promise.
   */
  sessionSync<T>(
    userId: string,
    callback: (session: SyncSession<Tools>) => T,
    options: SessionOptions<keyof Tools & string> = {},
  ): T {
    return this.#runSync('sessionSync', userId, options, callback)
  }

  /**
   * Opens a session that outlives the call, for a streaming response or a job. Whoever opens it closes it;
   * one that is killed or cancelled ends by itself.
   *
   * @throws as the constructor of a session: a dead parent, its depth, or a log that cannot be written.
   * @example
   * await using s = agent.open('alice')
   */
  open(userId: string, options: SessionOptions<keyof Tools & string> = {}): Session<Tools> {
    const core = this.#open('open', userId, options)
    const session = new AsyncSession<Tools>(core)
    core.owner = NOBODY
    return session
  }

  /**
   * Goes on with a call that `dispatch` suspended, here or in another process: in a session of its own, with
   * every check anew, runs exactly that call or refuses it by name. A decision counts once, and has to carry
   * the `digest` of the call, see {@link pending}.
   *
   * @throws TypeError for a token that was not made with the agent's `approvalSecret`; otherwise as {@link session}.
   */
  async resume(token: string, decision: ApprovalAnswer): Promise<DispatchResult> {
    const suspended = openToken('resume', this.#rules.setup.approvals.secret, token)
    const options = resumedOptions(suspended, this.#rules.registry, this.#rules.limits)
    return runResumed(await this.#openSoon('resume', suspended.request.user, options), suspended, decision)
  }

  /** What a token asks for, to be shown to whoever decides. @throws TypeError as {@link resume}. */
  pending(token: string): ApprovalRequest {
    return Object.freeze(openToken('pending', this.#rules.setup.approvals.secret, token).request)
  }

  /**
   * The agent's tools as a model API takes them.
   *
   * @throws RangeError for an unknown format, or a tool that the format cannot express.
   */
  toolSchemas<F extends keyof ToolSchemas>(format: F): ToolSchemas[F][] {
    return toolSchemas(this.#rules.registry, format)
  }

  /**
   * Ends the sessions that are still open, writes out the log and closes it, unless another agent uses it.
   *
   * @throws {@link AuditUnavailable} (ERR_AUDIT_UNAVAILABLE) when records could not be written.
   */
  close(): Promise<void> {
    this.#closing ??= this.#close()
    return this.#closing
  }

  [Symbol.asyncDispose](): Promise<void> {
    return this.close()
  }

  async #close(): Promise<void> {
    const { log, sessions } = this.#rules.setup
    for (const core of [...sessions]) {
      core.cancel(new SessionClosed(core.id))
      try {
        core.end('failed')
      } catch {
        // The log has failed, and release() says so.
      }
    }
    await log.release()
  }

  async #run<T>(
    label: string,
    userId: string,
    options: unknown,
    callback: (session: Session<Tools>) => Promise<T> | T,
    grantor?: SessionCore,
  ): Promise<T> {
    readFunction(`${label}: callback`, callback)
    const opened = this.#openSoon(label, userId, options, grantor)
    return runSession(opened instanceof Promise ? await opened : opened, callback)
  }

  #runSync<T>(
    label: string,
    userId: string,
    options: unknown,
    callback: (session: SyncSession<Tools>) => T,
    grantor?: SessionCore,
  ): T {
    readFunction(`${label}: callback`, callback)
    return runSessionSync(this.#open(label, userId, options, grantor), callback)
  }

  /** A promise only where a store of rolling limits has to be asked. */
  #openSoon(
    label: string,
    userId: string,
    options: unknown,
    grantor?: SessionCore,
  ): SessionCore | Promise<SessionCore> {
    this.#assertNotClosed()
    const opening = prepare(label, this.#rules, userId, options, grantor)
    const { rolling } = this.#rules
    if (rolling?.asks !== true) return open(opening)
    return openLater(opening, rolling, () => this.#assertNotClosed())
  }

  #open(label: string, userId: string, options: unknown, grantor?: SessionCore): SessionCore {
    this.#assertNotClosed()
    return open(prepare(label, this.#rules, userId, options, grantor))
  }

  #assertNotClosed(): void {
    if (this.#closing !== undefined) throw new AuditUnavailable('the agent is closed')
  }
}

/** The limits that a budget in the options sets: one that is `undefined` is not set, and wins over nothing. */
function limitsIn(budget: unknown): Budget {
  return budget === undefined ? {} : (readOptions('budget', budget, LIMIT_NAMES) as Budget)
}
