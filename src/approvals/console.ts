import {
  type ApprovalAnswer,
  ApprovalFailure,
  type ApprovalHandler,
  type ApprovalRequest,
} from '../contract/approval.js'
import { describe } from '../core/describe.js'
import { readOptions, readText } from '../core/guards.js'
import { encodeJson, quote } from '../core/json-text.js'
import { builtin } from '../core/runtime.js'
import { type ConsoleInput, readAnswer } from './terminal-line.js'

/** What is used of a terminal's output. */
export interface ConsoleOutput {
  readonly isTTY?: boolean
  write(text: string): unknown
}

export interface ConsoleApprovalOptions {
  /** Who sits at the terminal, as the log names them. Default: the user of the process. */
  readonly by?: string
  /** Default `process.stdin`. */
  readonly input?: ConsoleInput
  /** Default `process.stderr`. */
  readonly output?: ConsoleOutput
}

const LABEL = 'consoleApproval'
const MAX_BY = 256

/** The prompts of one terminal, however many handlers ask there: one at a time. */
const turns = new WeakMap<ConsoleInput, Promise<unknown>>()

/**
 * Asks at the terminal: shows the tool, the input as the log shows it, the user and the task, and runs the
 * call for `y` or `yes` alone. One prompt at a time; the others wait, and their time runs.
 *
 * Where input or output is no terminal, or the input ends, the call is denied (`approval_unavailable`). What
 * was typed before a prompt is not an answer to it. In a synchronous session nobody can wait for an answer:
 * the call is denied (`approval_error`).
 *
 * @throws TypeError or RangeError for an option that is unknown or not usable.
 * @example
 * new Agent({ …, approve: consoleApproval({ by: 'marta' }) })
 */
export function consoleApproval(options: ConsoleApprovalOptions = {}): ApprovalHandler {
  const given = readOptions(LABEL, options, ['by', 'input', 'output'])
  const by = given.by === undefined ? undefined : readText(`${LABEL}: by`, given.by, MAX_BY)
  const input = given.input === undefined ? undefined : readStream<ConsoleInput>('input', 'on', given.input)
  const output =
    given.output === undefined ? undefined : readStream<ConsoleOutput>('output', 'write', given.output)
  const handler = (
    request: ApprovalRequest,
    { signal }: { readonly signal: AbortSignal },
  ): Promise<ApprovalAnswer> => {
    const host = builtin<{ stdin: ConsoleInput; stderr: ConsoleOutput }>('process')
    const from = input ?? host?.stdin
    const to = output ?? host?.stderr
    if (from === undefined || to === undefined || from.isTTY !== true || to.isTTY !== true) {
      throw new ApprovalFailure('approval_unavailable', 'there is no terminal to ask at')
    }
    const ask = async (): Promise<ApprovalAnswer> => {
      signal.throwIfAborted()
      const answer = await readAnswer(from, to, promptFor(request), signal)
      return {
        approved: /^y(?:es)?$/i.test(answer.trim()),
        by: by ?? userOfProcess(),
        digest: request.digest,
      }
    }
    const turn = (turns.get(from) ?? Promise.resolve()).then(ask)
    turns.set(
      from,
      turn.catch(() => undefined),
    )
    return turn
  }
  return Object.freeze(Object.assign(handler, { kind: 'console' }))
}

/** Whatever a model made up in it is shown as it is: nothing in it steers the terminal. */
function promptFor(request: ApprovalRequest): string {
  const rows = [
    ['agent', request.agent],
    ['tool', request.tool],
    ['input', encodeJson(request.input)],
    ['user', quote(request.user)],
    ...(request.task === undefined ? [] : [['task', quote(request.task)]]),
    ...(request.cause === undefined ? [] : [['because', quote(request.cause)]]),
    ['call', request.id],
    ['digest', request.digest],
    ['until', new Date(request.expiresAt).toISOString()],
  ]
  const lines = rows.map(([name, text]) => `  ${String(name).padEnd(8)} ${text}\n`).join('')
  return `\nApproval needed\n${lines}Run ${request.tool}? [y/N] `
}

function userOfProcess(): string {
  try {
    const name = builtin<{ userInfo(): { username: string } }>('os')?.userInfo().username
    if (name !== undefined && name !== '') return `terminal:${name}`
  } catch {
    // A process may run as a user that has no name.
  }
  return 'terminal'
}

function readStream<T>(name: string, method: string, value: unknown): T {
  if (typeof (value as Record<string, unknown> | null)?.[method] !== 'function') {
    throw new TypeError(`${LABEL}: ${name}: expected a stream, got ${describe(value)}`)
  }
  return value as T
}
