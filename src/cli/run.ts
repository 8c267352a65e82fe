import { quote } from '../core/json-text.js'
import { suggestion } from '../core/nearest.js'
import { VERSION } from '../core/version.js'
import { readArguments } from './arguments.js'
import {
  type CliIo,
  CommandFailed,
  EXIT,
  FileNotMade,
  LogUnreadable,
  NotProven,
  OutputClosed,
  UsageError,
} from './cli-io.js'
import { keygen } from './keygen.js'
import { prove } from './prove.js'
import { reveal } from './reveal.js'
import { safeText } from './safe-text.js'
import { show } from './show.js'
import { EXIT_HELP } from './verdict-text.js'
import { verify } from './verify.js'

type Command = (args: readonly string[], io: CliIo) => Promise<number>

/** Loaded when it is asked for: nobody else needs what it needs. */
const mcp: Command = async (args, io) => {
  const loaded = await import('./mcp/mcp.js').catch((cause: unknown) => {
    throw missingPeer(cause) ?? cause
  })
  return loaded.mcp(args, io)
}

const COMMANDS: Readonly<Record<string, Command>> = { verify, show, prove, keygen, reveal, mcp }

const HELP = `Usage: writ <command>

Commands:
  verify <log>     check an audit log, and what vouches for it
  show <log>       print an audit log as a timeline
  prove <log>      prove that one record is in an audit log
  keygen <file>    make a key to sign an audit log with
  reveal <log>     disclose one value that a record commits to, or check a disclosure
  mcp -- <server>  put an MCP server behind a contract

  writ <command> --help   the options of a command
  writ --version          the version of this program

${EXIT_HELP}`

/**
 * Runs the command line and returns its exit status. What goes wrong is said on standard error; it never
 * throws.
 */
export async function run(args: readonly string[], io: CliIo): Promise<number> {
  try {
    return await runCommand(args, io)
  } catch (error) {
    return await report(error, args, io)
  }
}

async function runCommand(args: readonly string[], io: CliIo): Promise<number> {
  const [name, ...rest] = args
  if (name === undefined) {
    await io.stderr.write(HELP)
    return EXIT.usage
  }
  if (!name.startsWith('-')) {
    const command = Object.hasOwn(COMMANDS, name) ? COMMANDS[name] : undefined
    if (command !== undefined) return command(rest, io)
    throw new UsageError(`unknown command ${quote(name)}.${suggestion(name, Object.keys(COMMANDS))}`)
  }
  const { switches, positionals } = readArguments(args, { version: 'switch' })
  if (positionals[0] !== undefined)
    throw new UsageError(`the command goes first: writ ${quote(positionals[0])} ….`)
  await io.stdout.write(switches.has('version') && !switches.has('help') ? `writ ${VERSION}\n` : HELP)
  return EXIT.ok
}

/** What to install, if that is what a module could not be loaded for. */
function missingPeer(cause: unknown): CommandFailed | undefined {
  const { code, message } = cause as NodeJS.ErrnoException
  if (code !== 'ERR_MODULE_NOT_FOUND' || !/'(?:ajv|re2js)/.test(message)) return undefined
  return new CommandFailed(EXIT.noServer, 'writ mcp needs ajv and re2js: npm install ajv re2js', { cause })
}

async function report(error: unknown, args: readonly string[], io: CliIo): Promise<number> {
  try {
    if (error instanceof UsageError) {
      const [name = ''] = args
      const help = Object.hasOwn(COMMANDS, name) ? `writ ${name} --help` : 'writ --help'
      await io.stderr.write(`writ: ${error.message} See ${help}.\n`)
      return EXIT.usage
    }
    if (error instanceof CommandFailed) {
      await io.stderr.write(`writ: ${error.message.split('\n').map(safeText).join('\n  ')}\n`)
      return error.status
    }
    if (error instanceof LogUnreadable) {
      await io.stderr.write(`writ: cannot read the log: ${safeText(error.message)}\n`)
      return EXIT.noInput
    }
    if (error instanceof NotProven) {
      await io.stderr.write(`writ: no proof: ${safeText(error.message)}\n`)
      return EXIT.noProof
    }
    if (error instanceof FileNotMade) {
      await io.stderr.write(`writ: cannot make ${safeText(error.message)}\n`)
      return EXIT.cannotMake
    }
    if (error instanceof OutputClosed) {
      if (!error.readerLeft) await io.stderr.write(`writ: ${safeText(error.message)}\n`)
      return EXIT.output
    }
    const text = error instanceof Error ? (error.stack ?? error.message) : String(error)
    await io.stderr.write(
      `writ: an error in this program, please report it:\n${text.split('\n').map(safeText).join('\n')}\n`,
    )
    return EXIT.internal
  } catch {
    // Nobody can be told.
    return EXIT.output
  }
}
