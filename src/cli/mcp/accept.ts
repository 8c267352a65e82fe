import { acceptPins } from '../../adapters/mcp/pins/accept-pins.js'
import { checkPins, type PinStatus } from '../../adapters/mcp/pins/check-pins.js'
import { writePins } from '../../adapters/mcp/pins/pin-file.js'
import type { Pins } from '../../adapters/mcp/pins/pins.js'
import { suggestion } from '../../core/nearest.js'
import { type CliIo, CommandFailed, EXIT, FileNotMade, UsageError } from '../cli-io.js'
import { safeText } from '../safe-text.js'
import { askServer } from './ask-server.js'
import { readContract } from './open-contract.js'
import { pinLines } from './pin-text.js'
import { openPins } from './pins.js'
import { needServer, pinsOf, readServerArguments } from './server-arguments.js'

const ACCEPT_HELP: string = `Usage: writ mcp accept <tool> … [--config FILE] -- <command> [argument …]
       writ mcp accept --all [--config FILE] -- <command> [argument …]

Accepts the definitions of tools as the server lists them now: from then on they may be called, as far as the
contract allows it, until they change. Shows what has changed and what stands out. A tool that was accepted and
that the server has no more is taken out.

Options:
  --all           every tool of the server
  --config FILE   the contract that names the pins; writ.config.json unless it is said
  --url URL       a server behind a URL, instead of a command
  --header TEXT   a header of every request to the URL; \${NAME} in it is an environment variable
  -h, --help      this text

Exit status:
  0   they are accepted
  64  the command line is wrong
  65  a tool cannot be accepted; nothing was
  69  the server gives no answer
  70  an error in this program
  73  the pins cannot be written; they are as they were
  78  the contract or the pins cannot be used
`

/** `writ mcp accept`: takes the definitions of tools as they are now. */
export async function accept(args: readonly string[], io: CliIo): Promise<number> {
  const asked = readServerArguments(args, io, { all: 'switch' })
  const { given, config } = asked
  if (given.switches.has('help')) {
    await io.stdout.write(ACCEPT_HELP)
    return EXIT.ok
  }
  const isAll = given.switches.has('all')
  if (isAll === given.positionals.length > 0) throw new UsageError('which tools? Name them, or say --all.')
  const server = needServer(asked)
  const contract = readContract(config, io)
  const path = pinsOf(contract, config)
  const before = openPins(path)
  const { name, version, tools } = await askServer(server)
  const identity = { server: contract.server, name, version }
  const statuses = checkPins(before, identity, tools)
  const wanted = isAll ? statuses : given.positionals.map((tool) => find(tool, statuses))
  for (const status of wanted) {
    if (status.verdict !== 'same') await io.stdout.write(`${pinLines(status, tools).join('\n')}\n`)
  }
  const after = accepted(() =>
    acceptPins(
      before,
      identity,
      tools,
      wanted.map((status) => status.name),
    ),
  )
  save(path, after)
  await io.stdout.write(
    `${wanted.length} of ${tools.length} tools of ${safeText(name)} accepted in ${safeText(path)}.\n`,
  )
  return EXIT.ok
}

function find(name: string, statuses: readonly PinStatus[]): PinStatus {
  const status = statuses.find((one) => one.name === name)
  if (status !== undefined) return status
  const near = suggestion(
    name,
    statuses.map((one) => one.name),
  )
  throw new CommandFailed(EXIT.noProof, `the server has no tool ${name}.${near} Nothing was accepted.`)
}

function accepted(accept: () => Pins): Pins {
  try {
    return accept()
  } catch (cause) {
    if (!(cause instanceof RangeError)) throw cause
    throw new CommandFailed(EXIT.noProof, `${cause.message}. Nothing was accepted.`, { cause })
  }
}

function save(path: string, pins: Pins): void {
  try {
    writePins(path, pins)
  } catch (cause) {
    throw new FileNotMade(`${path}: ${(cause as Error).message}`, { cause })
  }
}
