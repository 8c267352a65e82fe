import type { Decision } from '../contract/decision.js'
import type {
  CallOptions,
  DispatchRequest,
  DispatchResult,
  LlmRequest,
  Session,
} from '../contract/session-types.js'
import type { ToolInput, ToolOutput, ToolSet } from '../contract/tool.js'
import type { LlmUsage } from '../contract/usage.js'
import { readFunction } from '../core/guards.js'
import type { SessionCore } from './core.js'
import { runInside } from './current.js'
import { decide, type Steps } from './decide.js'
import { SessionFace } from './face.js'
import { type CallOutcome, callSteps, type Driver } from './kernel.js'
import { CallContext, LiveCall } from './live-call.js'
import { reserveLlm } from './metering.js'
import { dispatchResult, outputOf, parseCallOptions, parseRequest, stoppedOutcome } from './outcome.js'

const DRIVER: Driver = { flush: (core) => core.agent.log.flush() }

/** The asynchronous face of a session. */
export class AsyncSession<Tools extends ToolSet = ToolSet> extends SessionFace implements Session<Tools> {
  readonly #core: SessionCore
  #closing: Promise<void> | undefined

  constructor(core: SessionCore) {
    super(core)
    this.#core = core
  }

  callTool<N extends keyof Tools & string>(
    name: N,
    input: ToolInput<Tools[N]>,
    options?: CallOptions,
  ): Promise<ToolOutput<Tools[N]>> {
    return this.#launch((call) => perform(call, { name, input }, options, outputOf)) as Promise<ToolOutput<Tools[N]>>
  }

  dispatch(request: DispatchRequest, options?: CallOptions): Promise<DispatchResult> {
    return this.#launch((call) => {
      const parsed = parseRequest(request)
      return perform(call, parsed, options, (outcome) => dispatchResult(parsed.name, outcome))
    })
  }

  authorize(name: string, input: unknown): Promise<Decision> {
    return this.#launch(async (call) => {
      const verdict = await drive(call, decide(this.#core.setup.registry, name, input, new CallContext(call)))
      if (call.aborted !== undefined) throw call.aborted.reason
      return verdict.allowed ? Object.freeze({ allowed: true, tool: name }) : verdict.decision
    })
  }

  callLlm<Reply>(
    request: LlmRequest,
    run: (signal: AbortSignal) => Promise<Reply> | Reply,
    usageOf: (reply: Reply) => LlmUsage,
  ): Promise<Reply> {
    return this.#launch(async (call) => {
      readFunction('callLlm: run', run)
      readFunction('callLlm: usageOf', usageOf)
      const reservation = reserveLlm(this.#core, request)
      const running = (async () => run(call.signal))()
      let reply: Reply
      try {
        reply = (await call.until(running)) as Reply
      } catch (error) {
        const { usageOfError } = request
        if (call.aborted !== undefined || usageOfError === undefined) reservation.abort(error)
        else reservation.settleWith(() => usageOfError(error))
        throw error
      }
      reservation.settleWith(() => usageOf(reply))
      this.#core.throwIfInterrupted()
      return reply
    })
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

  /**
   * Starts a call. The caller's async context may be another session's or none: what the call runs gets
   * that of its own session.
   */
  #launch<T>(body: (call: LiveCall) => Promise<T>): Promise<T> {
    const core = this.#core
    let call: LiveCall
    try {
      core.assertOpen()
      call = new LiveCall(core)
    } catch (error) {
      return Promise.reject(error)
    }
    const guarded = async (): Promise<T> => {
      try {
        return await body(call)
      } finally {
        call.finish()
      }
    }
    const promise = runInside(core, guarded)
    call.promise = promise
    return promise
  }
}

async function perform<T>(
  call: LiveCall,
  request: DispatchRequest,
  options: CallOptions | undefined,
  finish: (outcome: CallOutcome) => T,
): Promise<T> {
  const { signal, timeoutMs } = parseCallOptions('call options', options)
  if (signal !== undefined) call.follow(signal)
  let outcome: CallOutcome
  try {
    outcome = await drive(call, callSteps(call, request, timeoutMs, DRIVER))
  } catch (error) {
    outcome = stoppedOutcome(error)
  }
  return finish(outcome)
}

/** Awaits what the steps yield, for as long as the call may live. */
async function drive<T>(call: LiveCall, steps: Steps<T>): Promise<T> {
  let step = steps.next()
  while (step.done !== true) {
    let value: unknown
    try {
      value = await call.until(step.value)
    } catch (error) {
      step = steps.throw(error)
      continue
    }
    step = steps.next(value)
  }
  return step.value
}
