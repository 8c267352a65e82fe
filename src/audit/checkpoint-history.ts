/** Bytes of a history of checkpoints that are read: its end. */
export const MAX_HISTORY_BYTES = 4_194_304

/** Checkpoints of one history that are checked: the newest. */
export const MAX_HISTORY_NOTES = 10_000

const BLANK = '\n\n'
/** A line that begins with an em dash is a signature. */
const SIGNATURE = '\u2014 '

/** What a file of checkpoints holds. Nothing of it has been looked at. */
export interface CheckpointHistory {
  /** Signed notes, oldest first, as they are. */
  readonly notes: readonly string[]
  /** True when something was left out at the beginning, because there is too much. */
  readonly isSkipped: boolean
  /** True when the last one was cut, as a crash leaves it. */
  readonly isCut: boolean
}

/**
 * Takes a file of checkpoints apart: one signed note, or any number of them, each followed by one empty line.
 *
 * A note has an empty line itself, before its signatures; a note ends at the empty line after them.
 *
 * @param isTail true when these bytes are only the end of the file, so that the first note may be half a one.
 */
export function splitHistory(file: string | Uint8Array, isTail = false): CheckpointHistory {
  const { text, isShort } = endOf(file)
  const blocks = text.split(BLANK)
  const notes: string[] = []
  let isSkipped = isTail || isShort
  let body: string[] = []
  for (const [index, block] of blocks.entries()) {
    const isLast = index === blocks.length - 1
    if (isLast && block === '') break
    body.push(block)
    if (!block.startsWith(SIGNATURE)) continue
    // A block in the middle has lost its LF to the split; the last one has what the file has.
    notes.push(body.join(BLANK) + (isLast ? '' : '\n'))
    body = []
  }
  if (isSkipped && notes.length > 0) notes.shift()
  const rest = body.join(BLANK)
  const last = notes.at(-1)
  let isCut = rest !== ''
  if (!isCut && last !== undefined && !last.endsWith('\n')) {
    notes.pop()
    isCut = true
  }
  if (notes.length > MAX_HISTORY_NOTES) {
    notes.splice(0, notes.length - MAX_HISTORY_NOTES)
    isSkipped = true
  }
  return { notes, isSkipped, isCut }
}

function endOf(file: string | Uint8Array): { text: string; isShort: boolean } {
  const isShort = file.length > MAX_HISTORY_BYTES
  const end = isShort ? file.slice(-MAX_HISTORY_BYTES) : file
  const text = typeof end === 'string' ? end : new TextDecoder('utf-8', { ignoreBOM: true }).decode(end)
  return { text, isShort }
}
