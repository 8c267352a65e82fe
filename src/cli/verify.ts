import { encodeJson } from '../core/json-text.js'
import { type ChainReport, EXIT_CODES } from '../verify.js'
import { readArguments, readLogPath } from './arguments.js'
import { type CliIo, EXIT } from './cli-io.js'
import { type LogFormat, readFormat } from './log-format.js'
import { Progress } from './progress.js'
import { safeText } from './safe-text.js'
import { EXIT_HELP } from './verdict-text.js'

const VERIFY_HELP: string = `Usage: writ verify <log> [--format aegrail] [--json]

Checks the hash chain of an audit log from its first byte to its last, in constant memory.
<log> is a file, or - for standard input.

Options:
  --format NAME  writ, or aegrail for a log of the Python library of that name (0.2.3 and later)
  --json         one JSON object: verdict, exit, size, bytes, head, log_id, fault {seq, offset, detail}
  -h, --help     this text

${EXIT_HELP}`

/** `writ verify`: the verdict on a log. */
export async function verify(args: readonly string[], io: CliIo): Promise<number> {
  const given = readArguments(args, { json: 'switch', format: 'value' })
  if (given.switches.has('help')) {
    await io.stdout.write(VERIFY_HELP)
    return EXIT.ok
  }
  const path = readLogPath(given)
  const format = readFormat(given)
  const report = await verifyLogFile(path, format, io)
  await io.stdout.write(
    given.switches.has('json') ? `${reportJson(report)}\n` : reportText(path, format, report),
  )
  return EXIT_CODES[report.verdict]
}

async function verifyLogFile(path: string, format: LogFormat, io: CliIo): Promise<ChainReport> {
  const log = io.readLog(path)
  const verifier = format.createVerifier()
  const progress = new Progress(io, log.size)
  try {
    for await (const chunk of log) {
      verifier.push(chunk)
      await progress.advance(chunk.length)
    }
  } finally {
    await progress.erase()
  }
  return verifier.finish()
}

function reportJson({ verdict, size, bytes, head, logId, fault }: ChainReport): string {
  return encodeJson({
    verdict,
    exit: EXIT_CODES[verdict],
    size,
    bytes,
    head: head ?? null,
    log_id: logId ?? null,
    fault: fault === undefined ? null : { seq: fault.seq, offset: fault.offset, detail: fault.detail },
  })
}

function reportText(path: string, format: LogFormat, report: ChainReport): string {
  const { size, bytes, head, logId, fault } = report
  const rows: [name: string, value: string][] = [
    ['log', path === '-' ? 'standard input' : safeText(path)],
    ['records', `${size}${fault === undefined ? '' : ' before the fault'}`],
    ['bytes', String(bytes)],
  ]
  if (head !== undefined) rows.push(['head', head])
  if (logId !== undefined) rows.push(['log id', safeText(logId)])
  rows.push(['covered', 'no record is covered by anything outside the log'])
  if (fault !== undefined) {
    rows.push(['fault', `record ${fault.seq}, at byte ${fault.offset}: ${fault.detail}`])
  }
  return [
    format.headline(report),
    '',
    ...rows.map(([name, value]) => `  ${name.padEnd(9)}${value}`),
    '',
    ...format.advice(report),
    '',
  ].join('\n')
}
