import type { LlmRequest } from '../contract/any-session.js'
import type { CredentialOptions } from '../contract/credential.js'
import type { Decision } from '../contract/decision.js'
import type {
  CallOptions,
  Delegate,
  DispatchOptions,
  DispatchRequest,
  DispatchResult,
  PendingCall,
  Session,
  SessionOptions,
} from '../contract/session-types.js'
import type { ToolInput, ToolOutput, ToolSet } from '../contract/tool.js'
import type { LlmUsage } from '../contract/usage.js'
import { runInside } from './async-context.js'
import { authorizeSteps } from './authorize-steps.js'
import type { SessionCore } from './core.js'
import { credentialSteps } from './credential.js'
import type { Steps } from './decide.js'
import { driverFor } from './delegation.js'
import { SessionFace } from './face.js'
import { type CallOutcome, callSteps, type Driver } from './kernel.js'
import { LiveCall } from './live-call.js'
import { llmSteps } from './metering.js'
import { dispatchResult, outputOf, parseCallOptions, parseRequest, stoppedOutcome } from './outcome.js'

export const DRIVER: Driver = { waits: true, flush: (core) => core.agent.log.flush() }

/** The asynchronous face of a session. */
export class AsyncSession<Tools extends ToolSet = ToolSet> extends SessionFace implements Session<Tools> {
  readonly #core: SessionCore
  #closing: Promise<void> | undefined

  constructor(core: SessionCore) {
    super(core)
    this.#core = core
    Object.freeze(this)
  }

  callTool<N extends keyof Tools & string>(
    name: N,
    input: ToolInput<Tools[N]>,
    options?: CallOptions,
  ): Promise<ToolOutput<Tools[N]>> {
    return this.#call({ name, input }, options, outputOf as (outcome: CallOutcome) => ToolOutput<Tools[N]>)
  }

  dispatch(
    request: DispatchRequest,
    options: DispatchOptions & { readonly onApproval: 'suspend' },
  ): Promise<DispatchResult | PendingCall>
  dispatch(request: DispatchRequest, options?: CallOptions): Promise<DispatchResult>
  dispatch(
    request: DispatchRequest,
    options?: DispatchOptions,
  ): Promise<DispatchResult> | Promise<DispatchResult | PendingCall> {
    let parsed: DispatchRequest
    try {
      parsed = parseRequest(request)
    } catch (error) {
      return Promise.reject(error)
    }
    return this.#call(parsed, options, (outcome) => dispatchResult(parsed.name, outcome), this.#core)
  }

  authorize(name: string, input: unknown): Promise<Decision> {
    return this.#launch(
      (call) => authorizeSteps(call, name, input),
      (decision) => decision,
    )
  }

  callLlm<Reply>(
    request: LlmRequest,
    run: (signal: AbortSignal) => Promise<Reply> | Reply,
    usageOf: (reply: Reply) => LlmUsage,
  ): Promise<Reply> {
    return this.#launch(
      (call) => llmSteps(call, request, run, usageOf),
      (reply) => reply,
    )
  }

  credential(options: CredentialOptions<keyof Tools & string>): Promise<string> {
    return this.#launch(
      (call) => credentialSteps(call, options),
      (token) => token,
    )
  }

  delegate<Child extends ToolSet, T>(
    agent: Delegate<Child>,
    options: SessionOptions<keyof Child & string>,
    callback: (child: Session<Child>) => Promise<T> | T,
  ): Promise<T> {
    const core = this.#core
    const run = async (): Promise<T> => driverFor(core, agent).run(core, options, callback) as Promise<T>
    const promise = run().catch((error: unknown): never => {
      // Ended with the session that delegated: whoever waits for that one is told.
      if (core.lifecycle.isDead) promise.catch(() => undefined)
      throw error
    })
    return promise
  }

  close(): Promise<void> {
    this.#closing ??= this.#close()
    return this.#closing
  }

  [Symbol.asyncDispose](): Promise<void> {
    return this.close()
  }

  async #close(): Promise<void> {
    this.#core.end('completed')
    await this.#core.agent.log.flush()
  }

  #call<T>(
    request: DispatchRequest,
    options: unknown,
    finish: (outcome: CallOutcome) => T,
    suspends?: SessionCore,
  ): Promise<T> {
    return this.#launch(
      (call) => {
        const { signal, timeoutMs, approval } = parseCallOptions('call options', options, suspends)
        call.approval = approval
        if (signal !== undefined) call.follow(signal)
        return callSteps(call, request, timeoutMs, DRIVER)
      },
      finish,
      stoppedOutcome,
    )
  }

  /**
   * Starts a call. The caller's async context may be another session's or none: what the call runs gets
   * that of its own session.
   *
   * @param finish makes the caller's result of what the steps came to; what it throws rejects.
   * @param recover makes such an outcome of what the steps threw, or throws it on.
   */
  #launch<S, T>(
    begin: (call: LiveCall) => Steps<S>,
    finish: (outcome: S) => T,
    recover?: (error: unknown) => S,
  ): Promise<T> {
    const core = this.#core
    let call: LiveCall | undefined
    let promise: Promise<T> | undefined
    let isHandled = false
    promise = new Promise<T>((resolve, rejectWith) => {
      const reject = (error: unknown): void => {
        rejectWith(error)
        // The owner is told: a call that nobody waits for must not end the process as well.
        isHandled = isToldToOwner(core, error)
        if (isHandled) promise?.catch(() => undefined)
      }
      const settle = (outcome: S): void => {
        try {
          resolve(finish(outcome))
        } catch (error) {
          reject(error)
        }
      }
      const fail = (error: unknown): void => {
        try {
          if (recover === undefined) throw error
          settle(recover(error))
        } catch (rest) {
          reject(rest)
        }
      }
      try {
        core.assertOpen()
        const live = new LiveCall(core, false)
        call = live
        const steps = begin(live)
        runInside(core, () => live.drive(steps, settle, fail))
      } catch (error) {
        call?.finish()
        reject(error)
      }
    })
    if (call !== undefined) call.promise = promise
    if (isHandled || call?.aborted !== undefined) promise.catch(() => undefined)
    return promise
  }
}

function isToldToOwner(core: SessionCore, error: unknown): boolean {
  for (let node: SessionCore | undefined = core; node !== undefined; node = node.parent) {
    if (node.lifecycle.isToldToOwner(error)) return true
  }
  return false
}
