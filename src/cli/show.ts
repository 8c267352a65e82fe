import { EVENTS } from '../audit/event.js'
import { LineSplitter } from '../audit/line-splitter.js'
import { MAX_LINE_BYTES } from '../audit/record.js'
import { EXIT_CODES, LogVerifier } from '../verify.js'
import { readArguments, readLogPath } from './arguments.js'
import { type CliIo, EXIT } from './cli-io.js'
import { JsonView } from './json-view.js'
import { RecordFilter } from './record-filter.js'
import { TimelineView } from './timeline-view.js'
import { EXIT_HELP } from './verdict-text.js'

const SHOW_HELP: string = `Usage: writ show <log> [filters] [--json]

Prints the records of an audit log as a timeline and checks its chain over the same bytes: the last line is
the verdict. <log> is a file, or - for standard input.

Filters combine; one that is given several times takes any of its values:
  --session ID   the session with this id, or whose id ends in these 6 or more characters
  --user NAME    the invoking user, exactly
  --event NAME   one of: ${EVENTS.slice(0, 6).join(', ')},
                 ${EVENTS.slice(6, 11).join(', ')},
                 ${EVENTS.slice(11).join(', ')}
  --since TIME   from this moment on: 2026-11-20, 2026-11-20T20:49:41Z (UTC where it names no zone),
                 or a duration before now: 90s, 15m, 2h, 1d, 1w

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
  })
  if (given.switches.has('help')) {
    await io.stdout.write(SHOW_HELP)
    return EXIT.ok
  }
  const path = readLogPath(given)
  const filter = new RecordFilter(given, io.nowMs())
  const view = given.switches.has('json') ? new JsonView(io, filter) : new TimelineView(io, filter)
  const verifier = new LogVerifier()
  const lines = new LineSplitter(MAX_LINE_BYTES)
  for await (const chunk of io.readLog(path)) {
    verifier.push(chunk)
    for (const line of lines.push(chunk)) view.line(line, verifier.fault)
    await view.flush()
  }
  const report = verifier.finish()
  const last = lines.finish()
  if (last !== undefined) view.line(last, report.fault)
  await view.end(report)
  return EXIT_CODES[report.verdict]
}
