import { LineSplitter } from '../audit/line-splitter.js'
import { MAX_LINE_BYTES } from '../audit/record.js'
import { isPlainObject } from '../core/guards.js'
import type { FileIo } from './file-open.js'
import { chunksOf } from './log-scan.js'

const MAX_LISTED = 100
/** Calls that are open at one time: beyond this the memory would no longer be bounded. */
const MAX_OPEN = 100_000

/** Tool calls that have begun and have no result. */
export interface CallsInDoubt {
  /** Their `call_id`s, oldest first; at most 100. */
  readonly in_doubt: readonly string[]
  readonly in_doubt_more?: number
}

/** Reads which tool calls have no result, in the part of a file that holds. */
export function callsInDoubt(io: FileIo, fd: number, bytes: number): CallsInDoubt {
  const open = new Set<string>()
  const lines = new LineSplitter(MAX_LINE_BYTES)
  const decoder = new TextDecoder()
  for (const chunk of chunksOf(io, fd, 0)) {
    for (const line of lines.push(chunk)) {
      if (line.offset >= bytes) break
      const { event, callId } = readCall(decoder.decode(line.bytes))
      if (callId === undefined) continue
      if (event === 'tool_call' && open.size < MAX_OPEN) open.add(callId)
      else if (event === 'tool_result') open.delete(callId)
    }
  }
  const all = [...open]
  const more = all.length - MAX_LISTED
  return { in_doubt: all.slice(0, MAX_LISTED), ...(more > 0 ? { in_doubt_more: more } : {}) }
}

function readCall(line: string): { event?: unknown; callId?: string } {
  if (!line.includes('"event":"tool_')) return {}
  const { event, payload } = JSON.parse(line) as { event?: unknown; payload?: unknown }
  const callId = isPlainObject(payload) ? payload['call_id'] : undefined
  return { event, ...(typeof callId === 'string' ? { callId } : {}) }
}
