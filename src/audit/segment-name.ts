const DIGITS = 12

/** A path, cut where the number of a segment belongs: before the extension of the file's name. */
function cut(path: string): { stem: string; extension: string } {
  const nameStart = Math.max(path.lastIndexOf('/'), path.lastIndexOf('\\')) + 1
  const dot = path.lastIndexOf('.')
  // A name that begins with its only dot has no extension.
  return dot <= nameStart
    ? { stem: path, extension: '' }
    : { stem: path.slice(0, dot), extension: path.slice(dot) }
}

/**
 * Where a finished segment of a log is kept: `audit.jsonl` has `audit.000000000000.jsonl` and so on beside it.
 *
 * @param firstSeq `seq` of its first record.
 */
export function segmentPath(path: string, firstSeq: number): string {
  const { stem, extension } = cut(path)
  return `${stem}.${String(firstSeq).padStart(DIGITS, '0')}${extension}`
}

/** `seq` of the first record of the finished segment that is called `name`; `undefined` for any other name. */
export function segmentStart(path: string, name: string): number | undefined {
  const base = path.slice(Math.max(path.lastIndexOf('/'), path.lastIndexOf('\\')) + 1)
  const { stem, extension } = cut(base)
  if (!name.startsWith(`${stem}.`) || !name.endsWith(extension)) return undefined
  const digits = name.slice(stem.length + 1, name.length - extension.length)
  const seq = Number(digits)
  return /^\d{12,16}$/.test(digits) && Number.isSafeInteger(seq) && segmentPath(base, seq) === name
    ? seq
    : undefined
}
