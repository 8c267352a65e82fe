import { type Members, membersOf } from '../metered/members.js'
import type { EventReading } from '../metered/metered-body.js'
import { textBytes, utf8Bytes } from '../metered/text-size.js'
import { mergeUsage, readUsage } from './usage.js'

const NOTHING: EventReading = { textBytes: 0 }

/**
 * Reads the events of a streamed message. The first one has the input and next to nothing of the output; the
 * figures of the last but one are those of the whole.
 *
 * @param asksForHour see {@link readUsage}.
 */
export function readEvents(asksForHour: boolean): (data: string) => EventReading {
  let usage: Members | undefined
  let isWhole = false

  const report = (value: unknown, isFinal: boolean): EventReading => {
    usage = mergeUsage(usage, value)
    return { textBytes: 0, reported: readUsage(usage, asksForHour), isPartial: !isWhole, isFinal }
  }

  return (data) => {
    let event: Members | undefined
    try {
      event = membersOf(JSON.parse(data))
    } catch {
      // What cannot be read is not free.
      return { textBytes: utf8Bytes(data) }
    }
    switch (event?.['type']) {
      case 'message_start':
        return report(membersOf(event['message'])?.['usage'], false)
      case 'content_block_start':
        return { textBytes: blockBytes(membersOf(event['content_block'])) }
      case 'content_block_delta':
        return { textBytes: madeBytes(membersOf(event['delta'])) }
      case 'message_delta':
        isWhole ||= membersOf(event['delta'])?.['stop_reason'] != null && hasOutput(event['usage'])
        return report(event['usage'], false)
      case 'message_stop':
        return report(undefined, isWhole)
      default:
        return NOTHING
    }
  }
}

const hasOutput = (usage: unknown): boolean => typeof membersOf(usage)?.['output_tokens'] === 'number'

/** What comes whole with the start of a block. The result of a tool is input. */
function blockBytes(block: Members | undefined): number {
  return String(block?.['type']).endsWith('_result') ? 0 : madeBytes(block)
}

/** All that the model made of it, whatever its name: not its kind, its id, or what vouches for it. */
function madeBytes(part: Members | undefined): number {
  if (part === undefined) return 0
  const { type, id, tool_use_id, caller, signature, citation, citations, ...made } = part
  return textBytes(made)
}
