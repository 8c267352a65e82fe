import { dirname, resolve } from 'node:path'
import type { Contract } from '../../adapters/mcp/contract-file/contract.js'
import type { McpTransport } from '../../adapters/mcp/transport.js'
import { type Arguments, type OptionKind, readArguments } from '../arguments.js'
import { type CliIo, CommandFailed, EXIT, UsageError } from '../cli-io.js'
import { ChildServer } from './child-server.js'
import { HttpServer } from './http-server.js'
import { readUrlPlace, splitCommand } from './proxy-arguments.js'

/** A command line that may name a server. */
export interface ServerArguments {
  readonly given: Arguments
  /** The path of the contract. */
  readonly config: string
  /** A connection to the server, where one is named. */
  readonly server: McpTransport | undefined
}

/**
 * Reads a command line with `--config`, and a server after `--` or `--url`.
 *
 * @throws {@link UsageError} for one that names two servers, or none that can be.
 */
export function readServerArguments(
  args: readonly string[],
  io: CliIo,
  known: Readonly<Record<string, OptionKind>>,
): ServerArguments {
  const { own, command } = splitCommand(args)
  const given = readArguments(own, { config: 'value', url: 'value', header: 'values', ...known })
  const [config = 'writ.config.json'] = given.values.get('config') ?? []
  const [url] = given.values.get('url') ?? []
  const headers = given.values.get('header') ?? []
  if (url !== undefined && command !== undefined)
    throw new UsageError('--url or a command after --, not both.')
  if (url === undefined && headers.length > 0) throw new UsageError('--header goes with --url.')
  return { given, config, server: url === undefined ? childOf(command, io) : httpOf(url, headers, io) }
}

function childOf(command: readonly string[] | undefined, io: CliIo): McpTransport | undefined {
  if (command === undefined) return undefined
  const [program, ...rest] = command
  if (program === undefined || program === '')
    throw new UsageError('which server? Write its command after --.')
  return new ChildServer(program, rest, { env: io.env })
}

function httpOf(url: string, headers: readonly string[], io: CliIo): McpTransport {
  const place = readUrlPlace(url, headers, io.env)
  if (!('url' in place)) throw new UsageError('--url: expected a URL.')
  return new HttpServer(place.url, { headers: place.headers })
}

/** @throws {@link UsageError} where no server is named. */
export function needServer({ server }: ServerArguments): McpTransport {
  if (server === undefined)
    throw new UsageError('which server? Write its command after --, or its URL after --url.')
  return server
}

/**
 * The file of pins that a contract names.
 *
 * @throws {@link CommandFailed} where it names none.
 */
export function pinsOf(contract: Contract, config: string): string {
  if (contract.pins === undefined) {
    throw new CommandFailed(
      EXIT.contract,
      `${config}: it pins no definitions. Name a file for them in it, as pins.`,
    )
  }
  return resolve(dirname(resolve(config)), contract.pins)
}
