import { encodeJson, quote } from '../core/json-text.js'

/**
 * A text from outside, in one line that a terminal shows as it is: control characters, bidirectional
 * controls and whatever else is invisible come out as `\uXXXX`, as in the log itself.
 */
export function safeText(text: string): string {
  return quote(text).slice(1, -1)
}

/** Any JSON value as text that is safe in the same way; a string goes without its quotes. */
export function safeValue(value: unknown): string {
  return typeof value === 'string' ? safeText(value) : encodeJson(value)
}

/** East Asian wide characters and emoji: two columns each. */
const WIDE =
  /[\u1100-\u115f\u2e80-\u303e\u3041-\ua4cf\ua960-\ua97f\uac00-\ud7a3\uf900-\ufaff\ufe30-\ufe6f\uff01-\uff60\uffe0-\uffe6]|[\u{1f300}-\u{1faff}\u{20000}-\u{3fffd}]/u
const COMBINING = /^\p{M}$/u

function widthOf(character: string): number {
  if (character < '\u0300') return 1
  if (COMBINING.test(character)) return 0
  return WIDE.test(character) ? 2 : 1
}

/** Columns that a text takes on a terminal. */
export function displayWidth(text: string): number {
  let width = 0
  for (const character of text) width += widthOf(character)
  return width
}

/** The beginning of a text that fits into so many columns, with an ellipsis where something is missing. */
export function cut(text: string, columns: number): string {
  if (columns === Number.POSITIVE_INFINITY || displayWidth(text) <= columns) return text
  if (columns < 1) return ''
  let kept = ''
  let width = 0
  for (const character of text) {
    width += widthOf(character)
    if (width > columns - 1) break
    kept += character
  }
  return `${kept}…`
}

/** A text filled up with blanks to so many columns. */
export function pad(text: string, columns: number): string {
  return text + ' '.repeat(Math.max(0, columns - displayWidth(text)))
}

/** A path as it is typed into a shell. */
export function shellWord(path: string): string {
  const shown = safeText(path)
  return /^[\w./@:+,-]+$/.test(shown) ? shown : `'${shown.replaceAll("'", "'\\''")}'`
}
