import type { CliIo } from '../cli-io.js'
import { accept } from './accept.js'
import { approve } from './approve.js'
import { init } from './init.js'
import { pins } from './pins.js'
import { proxy } from './proxy.js'

type Command = (args: readonly string[], io: CliIo) => Promise<number>

const COMMANDS: Readonly<Record<string, Command>> = { init, pins, accept, approve }

/** `writ mcp`: an MCP server behind a contract, and what is needed for that. */
export async function mcp(args: readonly string[], io: CliIo): Promise<number> {
  const [name = '', ...rest] = args
  const command = Object.hasOwn(COMMANDS, name) ? COMMANDS[name] : undefined
  return command === undefined ? proxy(args, io) : command(rest, io)
}
