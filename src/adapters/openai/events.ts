import { membersOf } from '../metered/members.js'
import type { EventReading } from '../metered/metered-body.js'
import { textBytes, utf8Bytes } from '../metered/text-size.js'
import { readUsage } from './usage.js'

/** The events after which a response has nothing more to say. */
const TERMINAL: ReadonlySet<unknown> = new Set([
  'response.completed',
  'response.incomplete',
  'response.failed',
  'response.cancelled',
])

const NOTHING: EventReading = { textBytes: 0 }

/**
 * Reads the events of chat completions, completions and responses.
 *
 * @param hidesUsage whether the last chunk of a chat, the one with usage and no choices, is to be hidden.
 */
export function readEvents(hidesUsage: boolean): (data: string) => EventReading {
  return (data) => {
    if (data.startsWith('[DONE]')) return NOTHING
    let event: unknown
    try {
      event = JSON.parse(data)
    } catch {
      // What cannot be read is not free.
      return { textBytes: utf8Bytes(data) }
    }
    return readEvent(event, hidesUsage)
  }
}

/** As {@link readEvents}, of one event that has been parsed. */
export function readEvent(event: unknown, hidesUsage: boolean): EventReading {
  const members = membersOf(event)
  if (members === undefined) return NOTHING
  const { type, delta, choices } = members
  if (Array.isArray(choices)) {
    const reported = readUsage(members)
    const isFinal = choices.length === 0 && reported !== undefined
    return { textBytes: choicesBytes(choices), reported, isFinal, isHidden: hidesUsage && isFinal }
  }
  if (TERMINAL.has(type)) {
    return { textBytes: 0, reported: readUsage(members['response']), isFinal: true }
  }
  return delta === undefined ? NOTHING : { textBytes: textBytes(delta) }
}

function choicesBytes(choices: readonly unknown[]): number {
  let bytes = 0
  for (const choice of choices) {
    const members = membersOf(choice)
    bytes += textBytes(members?.['text']) + deltaBytes(membersOf(members?.['delta']))
  }
  return bytes
}

/** Everything in a delta but its role, whatever its name: servers add their own. */
function deltaBytes(delta: Readonly<Record<string, unknown>> | undefined): number {
  if (delta === undefined) return 0
  const { role: _role, ...made } = delta
  return textBytes(made)
}
