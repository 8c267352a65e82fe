import { compilePattern, type Matches } from './pattern.js'

/** Nothing invisible: `**` stands for text that a person could read. */
const CONTROLS = '\\x00-\\x1f\\x7f-\\x9f\\x{2028}\\x{2029}'
/** Of `**`. */
const ANYTHING = `[^${CONTROLS}\\\\]`
/** Of `*` and `?`: nothing that separates the parts of a path, a URL or an address. */
const PART = `[^${CONTROLS}\\s/\\\\:?#@%]`

const TOKEN = /\\(?<escaped>.)|(?<stars>\*+)|(?<one>\?)|(?<other>.)/gsu

/**
 * A glob over a whole text. `*` and `?` match no blank, no control character and none of `/ \ : ? # @ %`; `**`
 * matches everything but control characters and `\`; `\` before a character takes it as it is. A text with a
 * segment `.` or `..`, however it is encoded, matches nothing.
 *
 * @throws RangeError for what other globs have and this one has not, and for one that matches nothing.
 */
export function compileGlob(glob: string): Matches {
  if (/(?:^|[^\\])(?:\\\\)*\\$/.test(glob)) throw new RangeError('ends with a \\ that escapes nothing')
  if (/(?:^|[^\\])(?:\\\\)*[[\]{}]/.test(glob)) {
    throw new RangeError(
      '[ ] { } have no meaning in these globs; write \\\\[ for the character, or several globs',
    )
  }
  let source = ''
  for (const { groups = {} } of glob.matchAll(TOKEN)) {
    const { escaped, stars, one, other } = groups
    if (stars !== undefined && stars.length > 2) throw new RangeError('has more than two * in a row')
    if (stars !== undefined) source += `${stars.length === 2 ? ANYTHING : PART}*`
    else if (one !== undefined) source += PART
    else source += literal((escaped ?? other) as string)
  }
  if (hasDotSegment(glob.replaceAll('\\', ''))) {
    throw new RangeError('has a segment . or .., and matches nothing')
  }
  const matches = compilePattern(source)
  return (text) => !hasDotSegment(text) && matches(text)
}

function literal(character: string): string {
  return /^[A-Za-z0-9]$/.test(character) ? character : `\\x{${character.codePointAt(0)?.toString(16)}}`
}

/** True where a path in a text may lead upwards for somebody, also once it has been decoded. */
function hasDotSegment(text: string): boolean {
  let decoded = text
  for (let round = 0; /%25/.test(decoded); round++) {
    if (round === 4) return true
    decoded = decoded.replaceAll('%25', '%')
  }
  decoded = decoded.replaceAll(/%2e/gi, '.').replaceAll(/%2f|%5c/gi, '/')
  return decoded.split(/[/\\?#;]/).some((segment) => segment === '.' || segment === '..')
}
