import { encodeJson } from '../core/json-text.js'
import { EXIT_CODES, LogVerifier, type VerifyReport } from '../verify.js'
import { readArguments, readLogPath } from './arguments.js'
import { type CliIo, EXIT } from './cli-io.js'
import { Progress } from './progress.js'
import { safeText } from './safe-text.js'
import { advice, EXIT_HELP, headline } from './verdict-text.js'

export const VERIFY_HELP: string = `Usage: writ verify <log> [--json]

Checks the hash chain of an audit log from its first byte to its last, in constant memory.
<log> is a file, or - for standard input.

Options:
  --json      one JSON object: verdict, exit, size, bytes, head, log_id, fault {seq, offset, detail}
  -h, --help  this text

${EXIT_HELP}`

/** `writ verify`: the verdict on a log. */
export async function verify(args: readonly string[], io: CliIo): Promise<number> {
  const given = readArguments(args, { json: 'switch' })
  if (given.switches.has('help')) {
    await io.stdout.write(VERIFY_HELP)
    return EXIT.ok
  }
  const path = readLogPath(given)
  const report = await verifyLogFile(path, io)
  await io.stdout.write(given.switches.has('json') ? `${reportJson(report)}\n` : reportText(path, report))
  return EXIT_CODES[report.verdict]
}

async function verifyLogFile(path: string, io: CliIo): Promise<VerifyReport> {
  const log = io.readLog(path)
  const verifier = new LogVerifier()
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

function reportJson({ verdict, size, bytes, head, logId, fault }: VerifyReport): string {
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

function reportText(path: string, report: VerifyReport): string {
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
    headline(report),
    '',
    ...rows.map(([name, value]) => `  ${name.padEnd(9)}${value}`),
    '',
    ...advice(report),
    '',
  ].join('\n')
}
