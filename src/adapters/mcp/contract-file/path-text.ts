const MAX_PATH_LENGTH = 4096

// biome-ignore lint/suspicious/noControlCharactersInRegex: control characters are what this refuses
const CONTROL = /[\u0000-\u001f\u007f-\u009f\u2028\u2029]/
/** Bidirectional controls, zero-width characters, tags, variation selectors. */
const INVISIBLE = /\p{Default_Ignorable_Code_Point}/u
const ENCODED = /%(?:[0-9a-f]{2}|u)/i
const WINDOWS_DEVICE = /^(?:con|prn|aux|nul|com[0-9¹²³]|lpt[0-9¹²³]|conin\$|conout\$)(?:\.|$)/i

/**
 * Why the text of a path is refused before anybody looks at the disk; `undefined` for an absolute path that all
 * programs read alike.
 */
export function refusedPath(value: string, isWindows: boolean): string | undefined {
  if (value.length === 0 || value.length > MAX_PATH_LENGTH)
    return `has to have 1 to ${MAX_PATH_LENGTH} characters`
  if (CONTROL.test(value) || INVISIBLE.test(value) || !value.isWellFormed()) {
    return 'holds a character that cannot be seen'
  }
  if (ENCODED.test(value)) return 'is encoded (%); write the path itself'
  if (/^['"\s]|['"\s]$/.test(value)) return 'begins or ends with a blank or a quotation mark'
  if (/^[\\/]{2}/.test(value)) return 'begins like the path of another machine or a device'
  if (isWindows ? !/^[A-Za-z]:[\\/]/.test(value) : !value.startsWith('/')) return 'has to be an absolute path'
  const rest = isWindows ? value.slice(3) : value
  if (!isWindows && rest.includes('\\')) return 'holds a \\'
  const segments = rest.split(isWindows ? /[\\/]/ : '/')
  if (leadsUpwards(rest, isWindows)) return 'leads upwards (..)'
  if (isWindows && segments.some(isSpecialOnWindows)) return 'holds a name that is special on Windows'
  return undefined
}

/** Also by characters that become `.` or a separator for a program that normalises: full-width forms, dot leaders. */
function leadsUpwards(text: string, isWindows: boolean): boolean {
  const plain = text.normalize('NFKC')
  const separators = (of: string): number => of.split(/[\\/]/).length
  return (
    separators(plain) !== separators(text) ||
    plain
      .split(isWindows ? /[\\/]/ : '/')
      .some((segment) => segment !== '.' && /^\s*\.{1,2}\s*$/.test(segment))
  )
}

function isSpecialOnWindows(segment: string): boolean {
  return (
    /[:<>"|?*]/.test(segment) || (/[. ]$/.test(segment) && segment !== '.') || WINDOWS_DEVICE.test(segment)
  )
}
