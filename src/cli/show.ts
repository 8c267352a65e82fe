import { EVENTS } from '../audit/event.js'
import { LineSplitter } from '../audit/line-splitter.js'
import { MAX_LINE_BYTES } from '../audit/record.js'
import { EXIT_CODES, type Verdict, type VerifyOptions } from '../verify.js'
import { readArguments, readLogPath } from './arguments.js'
import { type CliIo, EXIT } from './cli-io.js'
import { readFolder } from './folder.js'
import { JsonView } from './json-view.js'
import { openLog } from './log-files.js'
import { refuseForMany, reportOf, verifierOf, worse } from './log-trust.js'
import { RecordFilter } from './record-filter.js'
import { safeText } from './safe-text.js'
import { TimelineView } from './timeline-view.js'
import { readTrustArguments, TRUST_HELP, TRUST_OPTIONS } from './trust-arguments.js'
import { EXIT_HELP } from './verdict-text.js'

const SHOW_HELP: string = `Usage: writ show <log> [filters] [--key KEY]… [options]

Prints the records of an audit log as a timeline, those of its finished segments first, and checks it over the
same bytes: the last line is the verdict that writ verify gives. <log> is a file, a folder of logs, or - for
standard input. A record of a nested session begins with one > for each session around it.

Filters combine; one that is given several times takes any of its values:
  --session ID   the session with this id, or whose id ends in these 6 or more characters
  --user NAME    the invoking user, exactly
  --event NAME   one of: ${EVENTS.slice(0, 6).join(', ')},
                 ${EVENTS.slice(6, 12).join(', ')},
                 ${EVENTS.slice(12).join(', ')}
  --since TIME   from this moment on: 2026-11-20, 2026-11-20T20:49:41Z (UTC where it names no zone),
                 or a duration before now: 90s, 15m, 2h, 1d, 1w

What vouches for the log:
${TRUST_HELP}

Options:
  --json         the matching lines, unchanged; the verdict goes to standard error
  -h, --help     this text

${EXIT_HELP}`

/** `writ show`: a log as a timeline. */
export async function show(args: readonly string[], io: CliIo): Promise<number> {
  const given = readArguments(args, {
    session: 'values',
    user: 'values',
    event: 'values',
    since: 'value',
    json: 'switch',
    ...TRUST_OPTIONS,
  })
  if (given.switches.has('help')) {
    await io.stdout.write(SHOW_HELP)
    return EXIT.ok
  }
  const path = readLogPath(given)
  const filter = new RecordFilter(given, io.nowMs())
  const options = readTrustArguments(given, io)
  const logs = readFolder(io, path)?.logs ?? [path]
  refuseForMany(given, logs.length)
  const isJson = given.switches.has('json')
  let worst: Verdict = 'VALID'
  for (const [index, log] of logs.entries()) {
    if (logs.length > 1) {
      const title = `${index > 0 && !isJson ? '\n' : ''}== ${safeText(log)}\n`
      await (isJson ? io.stderr : io.stdout).write(title)
    }
    const view = isJson ? new JsonView(io, filter) : new TimelineView(io, filter)
    worst = worse(worst, await showLog(log, options, view, io))
  }
  return EXIT_CODES[worst]
}

async function showLog(
  path: string,
  options: VerifyOptions,
  view: JsonView | TimelineView,
  io: CliIo,
): Promise<Verdict> {
  const files = openLog(io, path)
  const verifier = await verifierOf(files, options)
  const lines = new LineSplitter(MAX_LINE_BYTES)
  for await (const chunk of files.bytes) {
    verifier.push(chunk)
    for (const line of lines.push(chunk)) view.line(line, verifier.fault)
    await view.flush()
  }
  const report = reportOf(files, verifier)
  const last = lines.finish()
  if (last !== undefined) view.line(last, report.fault)
  await view.end(report)
  return report.verdict
}
