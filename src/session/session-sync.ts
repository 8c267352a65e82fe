import type { Decision } from '../contract/decision.js'
import type {
  Delegate,
  DispatchRequest,
  DispatchResult,
  PendingCall,
  SessionOptions,
  SyncSession,
} from '../contract/session-types.js'
import type { ToolInput, ToolOutput, ToolSet } from '../contract/tool.js'
import { runInside } from './async-context.js'
import { authorizeSteps } from './authorize-steps.js'
import type { SessionCore } from './core.js'
import type { Steps } from './decide.js'
import { driverFor } from './delegation.js'
import { SessionFace } from './face.js'
import { type CallOutcome, callSteps, type Driver } from './kernel.js'
import { LiveCall } from './live-call.js'
import { dispatchResult, outputOf, parseCallOptions, parseRequest, stoppedOutcome } from './outcome.js'

const DRIVER: Driver = {
  waits: false,
  flush: (core) => {
    core.agent.log.flushSync()
    return undefined
  },
}

/** The synchronous face of a session. */
export class BlockingSession<Tools extends ToolSet = ToolSet>
  extends SessionFace
  implements SyncSession<Tools>
{
  readonly #core: SessionCore

  constructor(core: SessionCore) {
    super(core)
    this.#core = core
    Object.freeze(this)
  }

  callTool<N extends keyof Tools & string>(
    name: N,
    input: ToolInput<Tools[N]>,
    options?: { readonly timeoutMs?: number },
  ): ToolOutput<Tools[N]> {
    return outputOf(this.#call({ name, input }, options)) as ToolOutput<Tools[N]>
  }

  dispatch(
    request: DispatchRequest,
    options: { readonly timeoutMs?: number; readonly onApproval: 'suspend' },
  ): DispatchResult | PendingCall
  dispatch(request: DispatchRequest, options?: { readonly timeoutMs?: number }): DispatchResult
  dispatch(request: DispatchRequest, options?: object): DispatchResult | PendingCall {
    const parsed = parseRequest(request)
    return dispatchResult(parsed.name, this.#call(parsed, options, this.#core))
  }

  authorize(name: string, input: unknown): Decision {
    return this.#run((call) => runThrough(authorizeSteps(call, name, input)))
  }

  credential(): never {
    throw new TypeError(
      'credential: signing cannot be waited for in a synchronous session: use agent.session()',
    )
  }

  delegate<Child extends ToolSet, T>(
    agent: Delegate<Child>,
    options: SessionOptions<keyof Child & string>,
    callback: (child: SyncSession<Child>) => T,
  ): T {
    return driverFor(this.#core, agent).runSync(this.#core, options, callback) as T
  }

  #call(request: DispatchRequest, options: unknown, suspends?: SessionCore): CallOutcome {
    const { signal, timeoutMs, approval } = parseCallOptions('call options', options, suspends)
    if (signal !== undefined)
      throw new TypeError('call options: a synchronous call cannot be aborted by a signal')
    return this.#run((call) => {
      call.approval = approval
      try {
        return runThrough(callSteps(call, request, timeoutMs, DRIVER))
      } catch (error) {
        return stoppedOutcome(error)
      }
    })
  }

  #run<T>(body: (call: LiveCall) => T): T {
    this.#core.assertOpen()
    const call = new LiveCall(this.#core, true)
    try {
      return runInside(this.#core, () => body(call))
    } finally {
      call.finish()
    }
  }
}

function ignore(): void {
  // What a refused promise comes to is nobody's any more.
}

/** Runs the steps to their end. What would have to be awaited is refused where it stands. */
function runThrough<T>(steps: Steps<T>): T {
  let step = steps.next()
  while (step.done !== true) {
    // Nobody will wait for it: its failure must not become an unhandled rejection.
    try {
      step.value.then(ignore, ignore)
    } catch {
      // A thenable that throws has failed already.
    }
    step = steps.throw(
      new TypeError('a promise cannot be awaited in a synchronous session: use agent.session()'),
    )
  }
  return step.value
}
