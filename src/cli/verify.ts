import { EXIT_CODES, type Verdict, type VerifyOptions, type VerifyReport } from '../verify.js'
import { readArguments, readLogPath } from './arguments.js'
import { checkProof } from './check-proof.js'
import { type CliIo, EXIT, LogUnreadable } from './cli-io.js'
import { othersText, readFolder } from './folder.js'
import { unhashed } from './hashed-ahead.js'
import { type LogFiles, openLog } from './log-files.js'
import { readFormat } from './log-format.js'
import { refuse, refuseForMany, reportOf, verifierOf, worse } from './log-trust.js'
import { pushAll } from './push-all.js'
import { chainJson, reportJson } from './report-json.js'
import { chainText, reportText } from './report-text.js'
import { readTrustArguments, TRUST_HELP, TRUST_OPTIONS } from './trust-arguments.js'
import { EXIT_HELP } from './verdict-text.js'

const VERIFY_HELP: string = `Usage: writ verify <log> [--key KEY]… [options]
       writ verify <folder> [--key KEY]… [options]
       writ verify <record> --proof FILE --key KEY…

Checks the hash chain of an audit log from its first byte to its last, in constant memory, with its finished
segments and the checkpoints that lie beside it. <log> is a file, or - for standard input. Of a <folder>,
every log in it is checked, and the exit status is the worst; what is no log is named.

What vouches for the log:
${TRUST_HELP}
  --proof FILE       the proof of one record: <record> is a file with its line and nothing else, or -

Options:
  --format NAME      writ, or aegrail for a log of the Python library of that name (0.2.3 and later)
  --json             one JSON object for each log; see docs/audit-log.md
  -h, --help         this text

${EXIT_HELP}`

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
    await pushAll(io.readLog(path), verifier, io, unhashed)
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
  const folder = readFolder(io, path)
  const logs = folder?.logs ?? [path]
  refuseForMany(given, logs.length)
  let worst: Verdict = 'VALID'
  const unreadable: string[] = []
  let separator = ''
  for (const log of logs) {
    const checked = await checkLog(log, options, io, folder === undefined ? undefined : unreadable)
    if (checked === undefined) continue
    const { files, report } = checked
    const text = isJson ? `${reportJson(files, report, io.nowMs())}\n` : reportText(files, report, io.nowMs())
    await io.stdout.write(separator + text)
    separator = isJson ? '' : '\n'
    worst = worse(worst, report.verdict)
  }
  const others = folder === undefined ? '' : othersText(folder)
  if (others !== '') await (isJson ? io.stderr.write(others) : io.stdout.write(separator + others))
  if (unreadable.length > 0) throw new LogUnreadable(unreadable.join('; '))
  return EXIT_CODES[worst]
}

/** @param unreadable takes the reason why one of several logs cannot be read, so that the others are checked. */
async function checkLog(
  path: string,
  options: VerifyOptions,
  io: CliIo,
  unreadable: string[] | undefined,
): Promise<{ files: LogFiles; report: VerifyReport } | undefined> {
  try {
    const files = openLog(io, path)
    const verifier = await verifierOf(files, options)
    await pushAll(files.bytes, verifier, io)
    return { files, report: reportOf(files, verifier) }
  } catch (error) {
    if (!(error instanceof LogUnreadable) || unreadable === undefined) throw error
    unreadable.push(error.message)
    return undefined
  }
}
