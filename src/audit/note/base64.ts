const ALPHABET = /^[A-Za-z0-9+/]*={0,2}$/
/** Arguments that one call may have, with room to spare. */
const CHUNK = 8192

/** Bytes in the standard alphabet, with padding. @see RFC 4648, section 4 */
export function encodeBase64(bytes: Uint8Array): string {
  let units = ''
  for (let start = 0; start < bytes.length; start += CHUNK) {
    units += String.fromCharCode(...bytes.subarray(start, start + CHUNK))
  }
  return btoa(units)
}

/**
 * Only what {@link encodeBase64} writes is read: `undefined` for anything else, be it white space, missing
 * padding or bits that no byte uses, so that no signed text has a second spelling.
 *
 * @see RFC 4648, sections 3.5 and 4
 */
export function decodeBase64(text: string): Uint8Array<ArrayBuffer> | undefined {
  if (text.length % 4 !== 0 || !ALPHABET.test(text)) return undefined
  const units = atob(text)
  if (btoa(units) !== text) return undefined
  return Uint8Array.from(units, (unit) => unit.charCodeAt(0))
}
