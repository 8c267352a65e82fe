import { RE2JS } from 're2js'

/** A longer text matches nothing: no rule is worth the time. */
const MAX_MATCHED_LENGTH = 16_384

/** Says whether a whole text matches. */
export type Matches = (text: string) => boolean

/**
 * A regular expression of RE2: its time is linear in the text, whatever the expression.
 *
 * @throws RangeError for an expression that RE2 does not have, such as a look-around or a back-reference.
 * @see https://github.com/google/re2/wiki/Syntax
 */
export function compilePattern(source: string): Matches {
  let compiled: RE2JS
  try {
    compiled = RE2JS.compile(source)
  } catch (cause) {
    const { message } = cause as Error
    throw new RangeError(
      `is no regular expression of RE2: ${message.replace(/^error parsing regexp: /, '')}`,
      {
        cause,
      },
    )
  }
  return (text) => text.length <= MAX_MATCHED_LENGTH && compiled.matches(text)
}
