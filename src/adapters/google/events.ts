import { type Members, membersOf } from '../metered/members.js'
import type { EventReading } from '../metered/metered-body.js'
import { textBytes, utf8Bytes } from '../metered/text-size.js'
import { readUsage } from './usage.js'

/** Most that a picture or a piece of sound counts for, where nobody says: its length says nothing. */
const MEDIA_BYTES = 6000

/** What one chunk of a stream of Gemini says. Each chunk reports all that was used so far. */
export function readEvent(data: string): EventReading {
  let chunk: unknown
  try {
    chunk = JSON.parse(data)
  } catch {
    // What cannot be read is not free.
    return { textBytes: utf8Bytes(data) }
  }
  const reported = readUsage(chunk)
  return { textBytes: candidateBytes(membersOf(chunk)?.['candidates']), reported }
}

function candidateBytes(candidates: unknown): number {
  let bytes = 0
  for (const candidate of Array.isArray(candidates) ? candidates : []) {
    const parts = membersOf(membersOf(candidate)?.['content'])?.['parts']
    for (const part of Array.isArray(parts) ? parts : []) bytes += partBytes(membersOf(part))
  }
  return bytes
}

/** Everything in a part but the signature of a thought, which is no output of the model. */
function partBytes(part: Members | undefined): number {
  if (part === undefined) return 0
  const { thoughtSignature: _signature, inlineData, ...made } = part
  return textBytes(made) + Math.min(textBytes(inlineData), MEDIA_BYTES)
}
