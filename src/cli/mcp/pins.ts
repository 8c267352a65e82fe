import { checkPins } from '../../adapters/mcp/pins/check-pins.js'
import { readPins } from '../../adapters/mcp/pins/pin-file.js'
import type { Pins } from '../../adapters/mcp/pins/pins.js'
import { PinsUnreadable } from '../../adapters/mcp/pins/pins-unreadable.js'
import { type CliIo, CommandFailed, EXIT, UsageError } from '../cli-io.js'
import { safeText } from '../safe-text.js'
import { askServer } from './ask-server.js'
import { readContract } from './open-contract.js'
import { pinLines } from './pin-text.js'
import { pinsOf, readServerArguments } from './server-arguments.js'

const PINS_HELP: string = `Usage: writ mcp pins [FILE] [--config FILE]
       writ mcp pins [--config FILE] -- <command> [argument …]
       writ mcp pins [--config FILE] --url URL [--header "Name: value" …]

Without a server: the definitions that were accepted. With one: which of its tools are as they were accepted,
which are new, changed, removed or shadowed, where they differ, and what stands out in them. Nothing is changed.

What stands out is a help to whoever reads it: nothing found does not mean that nothing is there.

Options:
  --config FILE   the contract that names the pins; writ.config.json unless it is said
  --url URL       a server behind a URL
  --header TEXT   a header of every request to the URL; \${NAME} in it is an environment variable
  -h, --help      this text

Exit status:
  0   with a server: the tools that the contract allows are as they were accepted
  64  the command line is wrong
  65  with a server: such a tool is not as it was accepted, or one was removed or changed
  69  the server gives no answer
  70  an error in this program
  78  the contract or the pins cannot be used
`

/** `writ mcp pins`: which definitions were accepted, and whether they still hold. */
export async function pins(args: readonly string[], io: CliIo): Promise<number> {
  const asked = readServerArguments(args, io, {})
  const { given, config, server } = asked
  if (given.switches.has('help')) {
    await io.stdout.write(PINS_HELP)
    return EXIT.ok
  }
  const [file, second] = given.positionals
  if (second !== undefined) throw new UsageError('one file of pins at a time.')
  if (file !== undefined && server !== undefined) {
    throw new UsageError('a file of pins, or a server to compare with; the contract names its pins.')
  }
  if (file !== undefined) return showPins(openPins(file), io)
  const contract = readContract(config, io)
  const known = openPins(pinsOf(contract, config))
  if (server === undefined) return showPins(known, io)
  const { name, version, tools } = await askServer(server)
  const statuses = checkPins(known, { server: contract.server, name, version }, tools)
  for (const status of statuses) {
    await io.stdout.write(`${pinLines(status, tools).join('\n')}\n`)
  }
  // A tool that nobody has accepted and that may not be called anyway is nothing to be done.
  const unlike = statuses.filter(
    (one) => one.verdict !== 'same' && (one.verdict !== 'new' || contract.tools.has(one.name)),
  )
  if (unlike.length === 0) {
    await io.stdout.write(
      `The tools of ${safeText(name)} that the contract allows are as they were accepted.\n`,
    )
    return EXIT.ok
  }
  await io.stdout.write(
    `Not as they were accepted, and cannot be called: ${unlike.map((one) => safeText(one.name)).join(', ')}. Read them; then writ mcp accept.\n`,
  )
  return EXIT.noProof
}

/**
 * Reads a file of pins.
 *
 * @throws {@link CommandFailed} when it is damaged.
 */
export function openPins(path: string): Pins {
  try {
    return readPins(path)
  } catch (cause) {
    if (!(cause instanceof PinsUnreadable)) throw cause
    throw new CommandFailed(
      EXIT.contract,
      `${cause.message}. Nothing that it vouches for can be called. Put back a copy, or remove it and accept anew.`,
      { cause },
    )
  }
}

async function showPins({ servers }: Pins, io: CliIo): Promise<number> {
  if (servers.size === 0) await io.stdout.write('Nothing has been accepted.\n')
  for (const [server, { name, version, tools }] of servers) {
    const itself = version === undefined ? safeText(name) : `${safeText(name)} ${safeText(version)}`
    await io.stdout.write(`${safeText(server)} (calls itself ${itself})\n`)
    for (const [tool, { digest }] of tools) {
      await io.stdout.write(`  ${digest.slice(0, 16)}  ${safeText(tool)}\n`)
    }
  }
  return EXIT.ok
}
