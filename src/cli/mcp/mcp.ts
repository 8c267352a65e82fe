import { type CliIo, EXIT } from '../cli-io.js'
import { PROXY_HELP } from './proxy-help.js'

/** `writ mcp`: an MCP server behind a contract, and what is needed for that. */
export async function mcp(_args: readonly string[], io: CliIo): Promise<number> {
  await io.stdout.write(PROXY_HELP)
  return EXIT.usage
}
