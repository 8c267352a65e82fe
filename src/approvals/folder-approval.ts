import {
  type ApprovalAnswer,
  ApprovalFailure,
  type ApprovalHandler,
  type ApprovalRequest,
} from '../contract/approval.js'
import { type Clock, MAX_TIMER_MS, systemClock } from '../core/clock.js'
import { describe } from '../core/describe.js'
import { RuntimeUnsupported } from '../core/errors.js'
import { isPlainObject, readCount, readOptions } from '../core/guards.js'
import { encodeJson } from '../core/json-text.js'
import { builtin } from '../core/runtime.js'
import { pause } from './pause.js'

const LABEL = 'folderApproval'
const MAX_ANSWER_BYTES = 65_536

export interface FolderApprovalOptions {
  /** Milliseconds between two looks into the folder, at least 1. Default 500. */
  readonly pollIntervalMs?: number
  /** Where time comes from. */
  readonly clock?: Clock
}

interface Settings {
  readonly fs: typeof import('node:fs')
  readonly folder: string
  readonly pollIntervalMs: number
  readonly clock: Clock
}

/**
 * Asks in a folder, for programs without a terminal. A request is the file `<call id>.request.json`; somebody
 * answers it with `<call id>.answer.json`: `{"approved":true,"by":"marta","digest":"…"}`, with the digest of the
 * request. `writ mcp approve` writes that. Both files are removed when the call has been decided.
 *
 * Whoever can write into the folder can approve: it belongs where no tool reaches. A folder that is not there or
 * cannot be written to denies (`approval_unavailable`); an answer for another digest too (`approval_mismatch`).
 *
 * @throws TypeError or RangeError for a path or an option that is not usable.
 * @throws {@link RuntimeUnsupported} (ERR_RUNTIME_UNSUPPORTED) where there is no file system.
 * @example
 * new Agent({ …, approve: folderApproval('/var/lib/writ/approvals') })
 */
export function folderApproval(path: string, options: FolderApprovalOptions = {}): ApprovalHandler {
  if (typeof path !== 'string' || path === '') {
    throw new TypeError(`${LABEL}: expected a path, got ${describe(path)}`)
  }
  const given = readOptions(LABEL, options, ['pollIntervalMs', 'clock'])
  const pollIntervalMs = readCount(`${LABEL}: pollIntervalMs`, given.pollIntervalMs ?? 500, MAX_TIMER_MS)
  if (pollIntervalMs < 1) throw new RangeError(`${LABEL}: pollIntervalMs: expected at least 1`)
  const fs = builtin<typeof import('node:fs')>('fs')
  if (fs === undefined) throw new RuntimeUnsupported(LABEL, 'a file system')
  const clock = (given.clock ?? systemClock) as Clock
  const settings: Settings = { fs, folder: path, pollIntervalMs, clock }
  const handler = (
    request: ApprovalRequest,
    { signal }: { readonly signal: AbortSignal },
  ): Promise<ApprovalAnswer> => ask(settings, request, signal)
  return Object.freeze(Object.assign(handler, { kind: 'folder' }))
}

async function ask(
  settings: Settings,
  request: ApprovalRequest,
  signal: AbortSignal,
): Promise<ApprovalAnswer> {
  const { fs, folder, clock, pollIntervalMs } = settings
  const name = `${folder}/${request.id.replaceAll(/[^A-Za-z0-9_.-]/g, '_')}`
  const answerPath = `${name}.answer.json`
  // An answer to a question that has not been asked yet is none.
  removeQuietly(fs, answerPath)
  try {
    // Appears whole: whoever lists the folder never reads half a question.
    fs.writeFileSync(`${name}.request.new`, `${encodeJson(request)}\n`, { flag: 'wx', mode: 0o600 })
    fs.renameSync(`${name}.request.new`, `${name}.request.json`)
  } catch (cause) {
    throw new ApprovalFailure('approval_unavailable', 'the folder of approvals cannot be written to', {
      cause,
    })
  }
  try {
    for (;;) {
      await pause(clock, pollIntervalMs, signal)
      const answer = readAnswer(fs, answerPath)
      if (answer === undefined) continue
      if (answer['digest'] !== request.digest) {
        throw new ApprovalFailure('approval_mismatch', 'the answer is for another call')
      }
      return answer as unknown as ApprovalAnswer
    }
  } finally {
    removeQuietly(fs, `${name}.request.json`)
    removeQuietly(fs, answerPath)
  }
}

/** What somebody has answered; nothing while the file is not there, or is being written. */
function readAnswer(
  fs: typeof import('node:fs'),
  path: string,
): Readonly<Record<string, unknown>> | undefined {
  const { O_RDONLY, O_NOFOLLOW = 0, O_NONBLOCK = 0 } = fs.constants
  let fd: number | undefined
  try {
    fd = fs.openSync(path, O_RDONLY | O_NOFOLLOW | O_NONBLOCK)
    if (!fs.fstatSync(fd).isFile()) return undefined
    const bytes = new Uint8Array(MAX_ANSWER_BYTES)
    const answer: unknown = JSON.parse(
      new TextDecoder().decode(bytes.subarray(0, fs.readSync(fd, bytes, 0, bytes.length, 0))),
    )
    return isPlainObject(answer) ? answer : undefined
  } catch {
    return undefined
  } finally {
    if (fd !== undefined) fs.closeSync(fd)
  }
}

function removeQuietly(fs: typeof import('node:fs'), path: string): void {
  try {
    fs.unlinkSync(path)
  } catch {
    // What is left lies about and does no harm: its digest is for one call.
  }
}
