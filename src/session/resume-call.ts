import type { SuspendedCall } from './approval-token.js'
import { runInside } from './async-context.js'
import type { SessionCore } from './core.js'
import { type CallOutcome, callSteps } from './kernel.js'
import { LiveCall } from './live-call.js'
import { stoppedOutcome } from './outcome.js'
import { DRIVER } from './session.js'

/** Runs exactly the call that was suspended, with every check anew, as the one call of a session opened for it. */
export function resumeCall(
  core: SessionCore,
  suspended: SuspendedCall,
  answer: unknown,
): Promise<CallOutcome> {
  const { request, modelCallId, given } = suspended
  return new Promise((resolve, reject) => {
    core.assertOpen()
    const call = new LiveCall(core, false)
    call.approval = { suspended, answer }
    const wanted = {
      ...(modelCallId === undefined ? {} : { id: modelCallId }),
      name: request.tool,
      input: given,
    }
    const steps = callSteps(call, wanted, undefined, DRIVER)
    const stopped = (error: unknown): void => {
      try {
        resolve(stoppedOutcome(error))
      } catch (rest) {
        reject(rest)
      }
    }
    runInside(core, () => call.drive(steps, resolve, stopped))
  })
}
