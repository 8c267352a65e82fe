/** The bytes of a text in UTF-8. */
export function utf8Bytes(text: string): number {
  let bytes = 0
  for (let at = 0; at < text.length; at += 1) {
    const unit = text.charCodeAt(at)
    if (unit < 0x80) bytes += 1
    // Each half of a surrogate pair stands for two of its four bytes.
    else if (unit < 0x800 || (unit >= 0xd800 && unit <= 0xdfff)) bytes += 2
    else bytes += 3
  }
  return bytes
}

const MAX_DEPTH = 64

/** The bytes of all text in a JSON value, wherever it stands in it. */
export function textBytes(value: unknown, depth = 0): number {
  if (typeof value === 'string') return utf8Bytes(value)
  if (typeof value !== 'object' || value === null || depth > MAX_DEPTH) return 0
  let bytes = 0
  for (const member of Object.values(value)) bytes += textBytes(member, depth + 1)
  return bytes
}

/**
 * How many tokens so many bytes of text are taken for, where nobody says. One for three bytes: English has
 * four to five in a token, code and most other scripts about three.
 */
export function estimateTokens(bytes: number): number {
  return Math.ceil(bytes / 3)
}
