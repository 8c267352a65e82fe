import { membersOf } from '../metered/members.js'

/**
 * The prompts of calls that failed in a way that the SDK tries again. What a later try throws, the SDK wraps
 * in an error of its own, unless the try succeeds: so its result is what throws, as soon as it is read.
 */
const tried = new WeakSet<object>()

/** Notes that the SDK may make a call again. */
export function noteFailure(prompt: unknown, error: unknown): void {
  if (membersOf(error)?.['isRetryable'] === true && membersOf(prompt) !== undefined)
    tried.add(prompt as object)
}

/**
 * What a call that is refused comes to.
 *
 * @throws the refusal itself, in a first try.
 */
export function refusedReply(prompt: unknown, refusal: unknown): object {
  if (membersOf(prompt) === undefined || !tried.has(prompt as object)) throw refusal
  const content = new Proxy([], {
    get: (): never => {
      throw refusal
    },
  })
  const usage = { inputTokens: {}, outputTokens: {} }
  return { content, finishReason: { unified: 'error', raw: undefined }, usage, warnings: [] }
}

/**
 * A stream that says that it was refused, and then fails with it: the SDK tells `onError` of the one, and whoever
 * reads or awaits of the other. What `doStream` throws reaches neither of these as it is.
 */
export function refusedStream(refusal: unknown): ReadableStream<unknown> {
  const parts = [
    { type: 'stream-start', warnings: [] },
    { type: 'error', error: refusal },
  ]
  return new ReadableStream(
    {
      pull: (controller) => {
        const part = parts.shift()
        if (part === undefined) controller.error(refusal)
        else controller.enqueue(part)
      },
    },
    { highWaterMark: 0 },
  )
}
