import { type Members, membersOf } from './members.js'
import { utf8Bytes } from './text-size.js'

/** What a request has as input. */
export interface BodyText {
  /** Bytes of text: names, texts and a little for each number and member. */
  readonly bytes: number
  /** True where there is more than text in it: nobody can tell from its length what it comes to. */
  readonly isUnbounded: boolean
}

const MAX_DEPTH = 256

/**
 * Adds up what a body has as text.
 *
 * @param isMedia whether an object in it stands for tokens that do not show: pictures, sound, files.
 */
export function textOfBody(body: unknown, isMedia: (members: Members) => boolean): BodyText {
  const seen = { bytes: 0, isUnbounded: false }
  measure(body, 0)
  return seen

  function measure(value: unknown, depth: number): void {
    const members = membersOf(value)
    if (typeof value === 'string') {
      // Encoded media are no text: what they cost has nothing to do with their length.
      if (value.startsWith('data:')) seen.isUnbounded = true
      else seen.bytes += utf8Bytes(value) + 3
    } else if (members === undefined) {
      seen.bytes += 3
    } else if (depth > MAX_DEPTH || isMedia(members)) {
      seen.isUnbounded = true
    } else {
      const isList = Array.isArray(value)
      for (const [name, member] of Object.entries(members)) {
        if (!isList) seen.bytes += utf8Bytes(name) + 3
        measure(member, depth + 1)
      }
    }
  }
}
