import {
  EXIT_CODES,
  type Finding,
  LogVerifier,
  prepareTrust,
  type Trust,
  type Verdict,
  type VerifyOptions,
  type VerifyReport,
} from '../verify.js'
import { type Arguments, readArguments, readLogPath } from './arguments.js'
import { checkProof } from './check-proof.js'
import { type CliIo, EXIT, UsageError } from './cli-io.js'
import { type LogFiles, logsIn, openLog } from './log-files.js'
import { readFormat } from './log-format.js'
import { pushAll } from './push-all.js'
import { chainJson, reportJson } from './report-json.js'
import { chainText, reportText } from './report-text.js'
import { readTrustArguments, TRUST_OPTIONS } from './trust-arguments.js'
import { EXIT_HELP } from './verdict-text.js'

const VERIFY_HELP: string = `Usage: writ verify <log> [--key KEY]… [options]
       writ verify <folder> [--key KEY]… [options]
       writ verify <record> --proof FILE --key KEY…

Checks the hash chain of an audit log from its first byte to its last, in constant memory, with its finished
segments and the checkpoints that lie beside it. <log> is a file, or - for standard input. Of a <folder>,
every log in it is checked, and the exit status is the worst.

What vouches for the log:
  --key KEY          whom to believe: name+id+base64, or a file of such lines, each optionally followed by
                     from=TIME and until=TIME. From the key's owner, never from where the log is
  --origin NAME      the log that checkpoints must be of; otherwise the one that the key is named after
  --head SIZE:HASH   a number of records and the head that the log had then, from where they were kept
  --checkpoint FILE  a checkpoint from where it was kept
  --require WHAT     signed (a key is enough), or anchored (only what was kept elsewhere is)
  --proof FILE       the proof of one record: <record> is a file with its line and nothing else, or -

Options:
  --format NAME      writ, or aegrail for a log of the Python library of that name (0.2.3 and later)
  --json             one JSON object for each log; see docs/audit-log.md
  -h, --help         this text

${EXIT_HELP}`

/** From the best to the worst: what a folder of logs is as good as. */
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

/** `writ verify`: the verdict on a log, on every log of a folder, or on one record. */
export async function verify(args: readonly string[], io: CliIo): Promise<number> {
  const given = readArguments(args, { ...TRUST_OPTIONS, proof: 'value', json: 'switch', format: 'value' })
  if (given.switches.has('help')) {
    await io.stdout.write(VERIFY_HELP)
    return EXIT.ok
  }
  const path = readLogPath(given)
  const format = readFormat(given)
  const isJson = given.switches.has('json')
  if (!format.isWrit) {
    refuse(given, [...Object.keys(TRUST_OPTIONS), 'proof'], 'does not apply to this format.')
    const verifier = format.createVerifier()
    await pushAll(io.readLog(path), verifier, io)
    const report = verifier.finish()
    await io.stdout.write(isJson ? `${chainJson(report)}\n` : chainText(path, format, report))
    return EXIT_CODES[report.verdict]
  }
  const options = readTrustArguments(given, io)
  const [proof] = given.values.get('proof') ?? []
  if (proof !== undefined) {
    refuse(given, ['head', 'checkpoint', 'require'], 'does not apply to one record.')
    return checkProof(path, proof, options, isJson, io)
  }
  const logs = logsIn(io, path)
  if (logs !== undefined && logs.length > 1) {
    refuse(given, ['head', 'checkpoint'], `is of one log, and there are ${logs.length} in this folder.`)
  }
  let worst: Verdict = 'VALID'
  for (const [index, log] of (logs ?? [path]).entries()) {
    const files = openLog(io, log)
    const report = await verifyFiles(files, options, io)
    const separator = index > 0 && !isJson ? '\n' : ''
    const text = isJson ? `${reportJson(files, report, io.nowMs())}\n` : reportText(files, report, io.nowMs())
    await io.stdout.write(separator + text)
    if (SEVERITY.indexOf(report.verdict) > SEVERITY.indexOf(worst)) worst = report.verdict
  }
  return EXIT_CODES[worst]
}

async function verifyFiles(files: LogFiles, options: VerifyOptions, io: CliIo): Promise<VerifyReport> {
  const trust = await trustOf({ ...options, checkpoints: files.checkpoints })
  const verifier = new LogVerifier(trust)
  await pushAll(files.bytes, verifier, io)
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

function refuse({ values }: Arguments, names: readonly string[], why: string): void {
  for (const name of names) if (values.has(name)) throw new UsageError(`--${name} ${why}`)
}
