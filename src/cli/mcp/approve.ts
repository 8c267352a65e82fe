import { encodeJson, quote } from '../../core/json-text.js'
import { readArguments } from '../arguments.js'
import { type CliIo, CommandFailed, EXIT, LogUnreadable, UsageError } from '../cli-io.js'
import { safeText, safeValue } from '../safe-text.js'

const APPROVE_HELP: string = `Usage: writ mcp approve <folder>
       writ mcp approve <folder> <id> --by NAME [--deny] [--reason TEXT]

Lists the calls that wait in a folder of approvals, or answers one of them. Approves unless --deny is said.

Options:
  --by NAME      who decides: in the log
  --deny         the call may not run
  --reason TEXT  why: in the log
  -h, --help     this text

Exit status:
  0   they were listed, or the answer was written
  64  the command line is wrong
  65  no call of this id waits
  66  the folder cannot be read
  70  an error in this program
  73  the answer cannot be written
`

const MAX_REQUEST_BYTES = 1024 * 1024
const SUFFIX = '.request.json'

type Request = Readonly<Record<string, unknown>>

/** `writ mcp approve`: calls that wait for a person, and the answer of one. */
export async function approve(args: readonly string[], io: CliIo): Promise<number> {
  const given = readArguments(args, { by: 'value', deny: 'switch', reason: 'value' })
  if (given.switches.has('help')) {
    await io.stdout.write(APPROVE_HELP)
    return EXIT.ok
  }
  const [folder, id, stray] = given.positionals
  if (folder === undefined) throw new UsageError('which folder? Name the one that the contract names.')
  if (stray !== undefined) throw new UsageError(`one call at a time; ${quote(stray)} is one too many.`)
  const names = io.listFolder(folder)
  if (names === undefined) throw new LogUnreadable(`${folder}: there is no such folder`)
  const waiting = names.filter((name) => name.endsWith(SUFFIX)).map((name) => name.slice(0, -SUFFIX.length))
  if (id === undefined) {
    for (const one of waiting) await io.stdout.write(show(one, read(folder, one, io), io.nowMs()))
    if (waiting.length === 0) await io.stdout.write('No call waits.\n')
    return EXIT.ok
  }
  const [by] = given.values.get('by') ?? []
  if (by === undefined) throw new UsageError('who decides? Say --by NAME.')
  if (!waiting.includes(id)) throw new CommandFailed(EXIT.noProof, `no call ${id} waits in ${folder}`)
  const { digest } = read(folder, id, io)
  const approved = !given.switches.has('deny')
  const [reason] = given.values.get('reason') ?? []
  const answer = { approved, by, digest, ...(reason === undefined ? {} : { reason }) }
  io.makeFile(`${folder}/${id}.answer.json`, `${encodeJson(answer)}\n`, true)
  await io.stdout.write(`${safeText(id)} is ${approved ? 'approved' : 'denied'}.\n`)
  return EXIT.ok
}

function read(folder: string, id: string, io: CliIo): Request {
  const path = `${folder}/${id}${SUFFIX}`
  const bytes = io.readEnd(path, MAX_REQUEST_BYTES)
  try {
    const request: unknown = JSON.parse(new TextDecoder().decode(bytes))
    if (typeof request === 'object' && request !== null) return request as Request
  } catch {
    // As said below: a request that has just been decided is gone.
  }
  throw new CommandFailed(EXIT.noProof, `${path} is gone, or is no request`)
}

function show(id: string, request: Request, nowMs: number): string {
  const { tool, input, user, task, expiresAt } = request
  const leftMs = typeof expiresAt === 'number' ? expiresAt - nowMs : Number.NaN
  return [
    `${safeText(id)}`,
    `  tool   ${safeValue(tool)}`,
    `  input  ${encodeJson(input)}`,
    `  user   ${safeValue(user)}`,
    ...(task === undefined ? [] : [`  task   ${safeValue(task)}`]),
    `  until  ${leftMs > 0 ? `${Math.ceil(leftMs / 1000)} s from now` : 'it is too late'}`,
    '',
  ].join('\n')
}
