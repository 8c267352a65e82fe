import { ApprovalFailure } from '../contract/approval.js'

/** What is used of a terminal's input. */
export interface ConsoleInput {
  readonly isTTY?: boolean
  readonly readableEnded?: boolean
  readonly destroyed?: boolean
  on(event: 'data' | 'end' | 'close' | 'error', listener: (chunk?: unknown) => void): unknown
  off(event: 'data' | 'end' | 'close' | 'error', listener: (chunk?: unknown) => void): unknown
  resume(): unknown
  pause(): unknown
}

/** However fast a terminal is, what it had before the prompt it has handed over by then. */
const SETTLE_MS = 20
/** Ctrl-C and Ctrl-D. */
const STOPS = ['\u0003', '\u0004']
/** An answer is a word. */
const MAX_ANSWER = 1024

/**
 * Shows a prompt and reads one line. What was typed before the prompt stood there is thrown away: it answers
 * something else.
 *
 * The terminal keeps its own mode, so that Ctrl-C does what it always does.
 *
 * @throws {@link ApprovalFailure} (approval_unavailable) when the input ends; the reason of `signal`.
 */
export function readAnswer(
  input: ConsoleInput,
  output: { write(text: string): unknown },
  prompt: string,
  signal: AbortSignal,
): Promise<string> {
  return new Promise((resolve, reject) => {
    const decoder = new TextDecoder()
    let isAsked = false
    let typed = ''
    const timer = setTimeout(() => {
      isAsked = true
      output.write(prompt)
    }, SETTLE_MS)
    const finish = (settle: () => void): void => {
      clearTimeout(timer)
      input.off('data', onData)
      for (const event of ['end', 'close', 'error'] as const) input.off(event, onEnd)
      signal.removeEventListener('abort', onAbort)
      input.pause()
      settle()
    }
    const onData = (chunk?: unknown): void => {
      if (!isAsked) return
      typed += typeof chunk === 'string' ? chunk : decoder.decode(chunk as Uint8Array, { stream: true })
      // A terminal in raw mode hands over Ctrl-C and Ctrl-D as characters.
      if (STOPS.some((stop) => typed.includes(stop))) finish(() => reject(closed()))
      else if (/[\r\n]/.test(typed)) finish(() => resolve(typed.split(/[\r\n]/, 1)[0] ?? ''))
      else if (typed.length > MAX_ANSWER) finish(() => resolve(''))
    }
    const onEnd = (): void => finish(() => reject(closed()))
    const onAbort = (): void =>
      finish(() => {
        if (isAsked) output.write('\n  no longer needed\n')
        reject(signal.reason)
      })
    if (input.readableEnded === true || input.destroyed === true) {
      finish(() => reject(closed()))
      return
    }
    input.on('data', onData)
    for (const event of ['end', 'close', 'error'] as const) input.on(event, onEnd)
    signal.addEventListener('abort', onAbort)
    input.resume()
  })
}

function closed(): ApprovalFailure {
  return new ApprovalFailure('approval_unavailable', 'the terminal was closed')
}
