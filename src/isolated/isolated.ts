import type { ToolContext } from '../contract/tool.js'
import { systemClock } from '../core/clock.js'
import { inputText } from './input-text.js'
import type { Job, Outcome } from './job.js'
import { type IsolatedOptions, parseIsolated } from './options.js'
import { Pool } from './pool.js'
import type { CallFacts } from './protocol.js'
import { ToolKilled } from './tool-killed.js'

/**
 * How long a synchronous call waits, beyond its time, for the end of its worker: only a thread inside a
 * system call takes longer.
 */
const CONFIRM_MS = 200

/** How much later than the session's clock this machine's may end a synchronous call. */
const CLOCK_SLACK_MS = 2

/** The `execute` of a tool that runs in a worker or process of its own. */
export interface IsolatedTool<Out> {
  (input: unknown, context: ToolContext): Out | Promise<Out>
  /** Workers or processes that are alive now. */
  readonly size: number
  /**
   * Ends all workers. Calls under way and later ones fail with {@link ToolCrashed} (`closed`). Without it,
   * workers end with the process, which they never keep alive.
   */
  close(): Promise<void>
  [Symbol.asyncDispose](): Promise<void>
}

/**
 * Runs the function that a module exports in a worker thread or a child process, where it can be ended: when
 * the call's time is up, its session ends or its memory is used up, whatever it is doing, while this
 * process goes on. Pass the result to {@link defineTool} as `execute`.
 *
 * The function is called as `(input, { callId, session, signal })`. Input and result are JSON values. What
 * it throws is thrown here. It sees no environment variable that is not named, and no stdin. In a
 * synchronous session the call blocks, as every call there does, and is ended all the same.
 *
 * A worker runs one call at a time, and is kept for the next one. One that was ended is never used again.
 * It is no sandbox: the tool can reach the file system and the network.
 *
 * @param module the URL of a module that Node itself can load.
 * @typeParam Out - what the function returns; not checked here, see `outputSchema`.
 * @returns what throws or rejects with {@link ToolCrashed} (ERR_TOOL_CRASHED) when the tool gives no usable
 *   answer, {@link ToolKilled} (ERR_TOOL_KILLED) when its call was stopped, TypeError when the input cannot
 *   be sent, or what the tool threw.
 * @throws TypeError or RangeError for a URL or an option that is not usable, saying which.
 * @throws {@link RuntimeUnsupported} (ERR_RUNTIME_UNSUPPORTED) where there are no worker threads, at the first
 *   call or, with `min`, here.
 * @example
 * const resize = defineTool({
 *   inputSchema: z.object({ file: z.string() }),
 *   timeoutMs: 2_000,
 *   execute: isolated<string>(new URL('./resize.js', import.meta.url), { memoryMb: 128 }),
 * })
 * @see docs/isolated.md
 */
export function isolated<Out = unknown>(
  module: URL | string,
  options: IsolatedOptions = {},
): IsolatedTool<Out> {
  const settings = parseIsolated(module, options)
  const pool = new Pool(settings)
  const execute = (input: unknown, context: ToolContext): unknown => {
    const text = inputText(input)
    const facts = factsOf(context)
    return context.sync
      ? runSync(pool, text, facts, context, settings.graceMs)
      : run(pool, text, facts, context)
  }
  const close = (): Promise<void> => pool.close()
  Object.defineProperties(execute, {
    size: { get: () => pool.size },
    close: { value: close },
    [Symbol.asyncDispose]: { value: close },
  })
  return Object.freeze(execute) as unknown as IsolatedTool<Out>
}

function factsOf({ callId, session }: ToolContext): CallFacts {
  const { id, principal, user, task } = session
  return { callId, session: { id, principal, user, task } }
}

function run(
  pool: Pool,
  input: string | undefined,
  facts: CallFacts,
  context: ToolContext,
): Promise<unknown> {
  return new Promise((resolve, reject) => {
    const { signal } = context
    const onAbort = (): void => pool.abandon(job)
    const settle = (outcome: Outcome): void => {
      signal.removeEventListener('abort', onAbort)
      if (outcome.ok) resolve(outcome.value)
      else reject(outcome.error)
    }
    const job: Job = { input, facts, leftMs: () => context.remainingMs(), settle }
    signal.addEventListener('abort', onAbort)
    if (signal.aborted) settle({ ok: false, error: new ToolKilled(false) })
    else pool.submit(job)
  })
}

function runSync(
  pool: Pool,
  input: string | undefined,
  facts: CallFacts,
  context: ToolContext,
  graceMs: number,
): unknown {
  let outcome: Outcome | undefined
  const isOver = (): boolean => outcome !== undefined
  // The session's clock decides. One that stands still must not make this wait for ever.
  const untilMs = systemClock.monotonicMs() + context.remainingMs() + CLOCK_SLACK_MS
  const leftMs = (): number => Math.min(context.remainingMs(), untilMs - systemClock.monotonicMs())
  const job: Job = { input, facts, leftMs, settle: (settled) => (outcome ??= settled) }
  pool.submit(job)
  pool.block(isOver, leftMs)
  if (outcome === undefined) {
    pool.abandon(job)
    const lastMs = systemClock.monotonicMs() + graceMs + CONFIRM_MS
    pool.block(isOver, () => lastMs - systemClock.monotonicMs())
  }
  const settled = outcome ?? { ok: false, error: new ToolKilled(true) }
  if (settled.ok) return settled.value
  throw settled.error
}
