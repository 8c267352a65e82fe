import type { AnySession, Denial, Session } from '../../index.js'
import { type AsyncContext, asyncContext } from '../metered/async-context.js'
import { type Members, membersOf } from '../metered/members.js'
import { RunningCalls } from '../metered/running-calls.js'

/** What the SDK hands a tool beside its input. */
export interface SdkCallOptions {
  readonly toolCallId?: string
  readonly messages?: readonly unknown[]
  readonly abortSignal?: AbortSignal | undefined
}

/** A call that the SDK makes. */
export interface SdkCall {
  /** The name that the SDK has for the tool. */
  readonly toolName: string
  /** Its name in the agent of the session. */
  readonly name: string
  readonly tool: object
  readonly input: unknown
  readonly options: SdkCallOptions
  /** Passes on what the tool has so far. */
  readonly emit?: (output: unknown) => void
}

/** What a tool throws for a call that has no result: the SDK hands it to the model. */
class ToolCallDenied extends Error {
  override readonly name = 'ToolCallDenied'
  readonly denial: Denial

  constructor(denial: Denial) {
    super(JSON.stringify({ error: denial }))
    this.denial = denial
  }
}

const running = new RunningCalls<SdkCall>()
const current: AsyncContext<SdkCall | undefined> = asyncContext<SdkCall | undefined>()

/** The call of the SDK that this code runs for. */
export function currentCall(): SdkCall | undefined {
  return current.getStore()
}

/** Calls back as code that runs for no call of the SDK: what a tool does is not what was asked about. */
export function outsideOfCall<T>(callback: () => T): T {
  return current.run(undefined, callback)
}

/** With what the SDK called a tool; `undefined` where it did not, and where nobody can tell. */
export function findCall(session: AnySession, id: string | undefined, tool: object): SdkCall | undefined {
  return running.find(session, id, (call) => call.tool === tool)
}

/**
 * Makes a call of the SDK through a session.
 *
 * @throws what the model is to read of a call that was denied or failed; whatever ended the session.
 */
export async function dispatchCall(session: AnySession, call: SdkCall): Promise<unknown> {
  const { name, input } = call
  const { toolCallId: id, abortSignal: signal } = call.options
  const forget = id === undefined ? undefined : running.note(session, id, call)
  try {
    const result = await current.run(call, () =>
      (session as Session).dispatch(
        { ...(id === undefined ? {} : { id }), name, input },
        signal === undefined ? {} : { signal },
      ),
    )
    if (!result.ok) throw new ToolCallDenied(result.denial)
    return result.output
  } finally {
    forget?.()
  }
}

/** As {@link dispatchCall}, with what the tool has on the way to its result. */
export async function* streamCall(
  session: AnySession,
  call: SdkCall,
): AsyncGenerator<unknown, void, undefined> {
  const { options } = call
  const left = new AbortController()
  const signals = [left.signal, options.abortSignal].filter((signal) => signal !== undefined)
  const outputs: unknown[] = []
  let wake: () => void = () => undefined
  let outcome: { readonly output: unknown } | { readonly error: unknown } | undefined
  const end = (how: typeof outcome): void => {
    outcome = how
    wake()
  }
  void dispatchCall(session, {
    ...call,
    options: { ...options, abortSignal: AbortSignal.any(signals) },
    emit: (output) => {
      outputs.push(output)
      wake()
    },
  }).then(
    (output) => end({ output }),
    (error) => end({ error }),
  )
  try {
    let last: { readonly output: unknown } | undefined
    for (;;) {
      while (outputs.length > 0) {
        last = { output: outputs.shift() }
        yield last.output
      }
      if (outcome !== undefined) break
      await new Promise<void>((resolve) => {
        wake = resolve
      })
    }
    if ('error' in outcome) throw outcome.error
    // The last output is the result, unless the contract made another of it.
    if (last === undefined || last.output !== outcome.output) yield outcome.output
  } finally {
    if (outcome === undefined) left.abort(new DOMException('nobody waits for the tool', 'AbortError'))
  }
}

/** True for a function that gives its output bit by bit. */
export function isGenerator(execute: unknown): boolean {
  return Object.prototype.toString.call(execute) === '[object AsyncGeneratorFunction]'
}

/** What gives its output bit by bit, if a value does. */
export function iterableOf(value: unknown): AsyncIterable<unknown> | undefined {
  const members: Members | undefined = membersOf(value)
  return typeof members?.[Symbol.asyncIterator as never] === 'function'
    ? (value as AsyncIterable<unknown>)
    : undefined
}
