import {
  type Finding,
  LogVerifier,
  prepareTrust,
  type Trust,
  type Verdict,
  type VerifyOptions,
  type VerifyReport,
} from '../verify.js'
import type { Arguments } from './arguments.js'
import { UsageError } from './cli-io.js'
import type { LogFiles } from './log-files.js'

/** From the best to the worst: what several logs are as good as. */
const SEVERITY: readonly Verdict[] = [
  'VALID',
  'UNANCHORED',
  'CRASH_DAMAGED',
  'MALFORMED',
  'UNTRUSTED',
  'TRUNCATED',
  'REWRITTEN',
  'TAMPERED',
]

/** The worse of two verdicts. */
export function worse(one: Verdict, other: Verdict): Verdict {
  return SEVERITY.indexOf(one) > SEVERITY.indexOf(other) ? one : other
}

/**
 * What checks a log with what lies beside it and what the command line says to believe.
 *
 * @throws {@link UsageError} for keys or checkpoints that are none.
 */
export async function verifierOf(files: LogFiles, options: VerifyOptions): Promise<LogVerifier> {
  return new LogVerifier(await trustOf({ ...options, checkpoints: files.checkpoints }))
}

/** The verdict on a log, with what can only be seen from outside of its bytes. */
export function reportOf(files: LogFiles, verifier: LogVerifier): VerifyReport {
  const report = verifier.finish()
  if (!files.isEndMissing) return report
  const finding: Finding = {
    kind: 'segment_missing',
    count: 1,
    seq: report.size,
    detail: `the file that is written to, ${files.path}, is not there`,
  }
  return { ...report, findings: [finding, ...report.findings] }
}

/** What is wrong with the keys or checkpoints that were given is wrong with the command line. */
async function trustOf(options: VerifyOptions): Promise<Trust> {
  try {
    return await prepareTrust(options)
  } catch (cause) {
    if (cause instanceof TypeError || cause instanceof RangeError)
      throw new UsageError(`${cause.message}.`, { cause })
    throw cause
  }
}

/** @throws {@link UsageError} when one of these options was given. */
export function refuse({ values }: Arguments, names: readonly string[], why: string): void {
  for (const name of names) if (values.has(name)) throw new UsageError(`--${name} ${why}`)
}

/** @throws {@link UsageError} for what is of one log, where there are several. */
export function refuseForMany(given: Arguments, count: number): void {
  if (count > 1)
    refuse(given, ['head', 'checkpoint'], `is of one log, and there are ${count} in this folder.`)
}
