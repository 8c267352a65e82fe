import type { ChainReport, Verdict } from '../verify.js'
import { EXIT_CODES } from '../verify.js'

const MEANING: { readonly [V in Verdict]: string } = {
  VALID: 'consistent, and covered by a checkpoint of a known key, or by what was kept elsewhere',
  UNANCHORED: 'consistent from the first record to the last, but nothing outside the log vouches for it',
  TRUNCATED: 'shorter than a size that is vouched for',
  REWRITTEN: 'consistent, but not what it was at a size that is vouched for',
  UNTRUSTED: 'a signature in the name of a known key fails, or was made outside of its time',
  TAMPERED: 'a hash, a link or a sequence number does not hold',
  MALFORMED: 'this is not an audit log',
  CRASH_DAMAGED: 'damaged only past what was known to be on stable storage',
}

const NEXT: { readonly [V in Verdict]: readonly string[] } = {
  VALID: [],
  TRUNCATED: [
    'Records that were there are gone. Keep the file as evidence, and let nothing append to it. Compare it with',
    'a copy: a backup, or another sink of the same agent.',
  ],
  REWRITTEN: [
    'Somebody made another log of it, with every hash anew, or put another log in its place. Keep the file as',
    'evidence, and let nothing append to it. Compare it with a copy: a backup, or another sink of the same agent.',
  ],
  UNTRUSTED: [
    'Either somebody forged a checkpoint, or the key that was given is not the one in use. Keep the file and its',
    'checkpoints as evidence, and ask the owner of the key for the right one.',
  ],
  UNANCHORED: [
    'UNANCHORED is not valid: a log that was cut at the end of a line, or rewritten as a whole, looks the same.',
    'Keep the number of records and the head where whoever writes this log cannot reach them. A later copy',
    'must still have that head at that number of records.',
  ],
  TAMPERED: [
    'Keep the file as evidence and let nothing append to it. The records before the fault hold; nothing from',
    'the fault on can be relied on. Compare it with a copy: a backup, or another sink of the same agent.',
  ],
  MALFORMED: [
    'Check the path. If it is the right one, the log was emptied or its first record overwritten: keep the',
    'file as evidence, and compare it with a copy.',
  ],
  CRASH_DAMAGED: [
    'The records before the damage hold. If an agent is writing to the log right now, ask again. If not: the',
    'next agent that opens it sets the damaged end aside in a file of its own, records that, and goes on.',
  ],
}

/** The verdict and what it means. */
export function headline({ verdict }: ChainReport): string {
  return `${verdict}: ${MEANING[verdict]}`
}

/** What to do about it, in lines. */
export function advice({ verdict }: ChainReport): readonly string[] {
  return NEXT[verdict]
}

/** The exit statuses of both commands, for their help. */
export const EXIT_HELP: string = `Exit status:
${Object.entries(EXIT_CODES)
  .map(([verdict, code]) => `  ${String(code).padEnd(3)} ${verdict}: ${MEANING[verdict as Verdict]}`)
  .join('\n')}
  64  the command line is wrong
  66  the log cannot be read
  70  an error in this program
  74  the output cannot be written
`
