import { type ChainReport, EXIT_CODES, type Verdict, type VerifyReport } from '../verify.js'
import { ageText } from './age.js'

const MEANING: { readonly [V in Verdict]: string } = {
  VALID: 'consistent, and signed with a known key or vouched for by what was kept elsewhere',
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

/** The verdict and what it means; of a log that is valid, how far. */
export function headline(report: ChainReport | VerifyReport, nowMs?: number): string {
  const { verdict } = report
  if (verdict !== 'VALID' || !('covered' in report))
    return `${verdict}: ${MEANING[verdict]}${missing(report)}`
  const { assurance, uncovered } = report
  const by = assurance === 'anchored' ? 'what was kept elsewhere vouches for it' : 'a known key has signed it'
  return `VALID (${assurance}): consistent from the first record to the last, and ${by}${except(uncovered, nowMs)}`
}

function except({ records, since }: VerifyReport['uncovered'], nowMs = Number.NaN): string {
  if (records === 0) return ''
  const ageMs = nowMs - Date.parse(since ?? '')
  const age = Number.isNaN(ageMs) ? '' : `; the oldest of them is ${ageText(ageMs)} old`
  return records === 1
    ? `, but for the last record${age.replace(' of them', '')}`
    : `, but for the last ${records} records${age}`
}

/** Why a log that something vouches for is not valid: more was required. */
function missing(report: ChainReport | VerifyReport): string {
  if (report.verdict !== 'UNANCHORED' || !('covered' in report) || report.covered === 0) return ''
  return '; it is signed, and more was required'
}

const GIVE_KEY: readonly string[] = [
  'There are checkpoints beside this log that no key was given for. With the key that its owner gives out they',
  'can be checked: --key.',
  '',
]

/** What to do about it, in lines. */
export function advice(report: ChainReport | VerifyReport): readonly string[] {
  const next = NEXT[report.verdict]
  const isUnknown =
    'findings' in report && report.findings.some(({ kind }) => kind === 'checkpoint_unknown_keys')
  return report.verdict === 'UNANCHORED' && isUnknown ? [...GIVE_KEY, ...next] : next
}

/** The exit statuses of both commands, for their help. */
export const EXIT_HELP: string = `Exit status:
${Object.entries(EXIT_CODES)
  .map(([verdict, code]) => `  ${String(code).padEnd(3)} ${verdict}: ${MEANING[verdict as Verdict]}`)
  .join('\n')}
  64  the command line is wrong
  65  writ prove: there is no proof
  66  the log cannot be read
  70  an error in this program
  73  writ keygen, writ prove: a file cannot be made
  74  the output cannot be written
`
