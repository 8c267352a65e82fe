import { govern } from '../../adapters/mcp/govern.js'
import { filePins } from '../../adapters/mcp/pins/pin-file.js'
import type { McpTransport } from '../../adapters/mcp/transport.js'
import type { Session } from '../../index.js'
import { type CliIo, CommandFailed, EXIT } from '../cli-io.js'
import { safeText } from '../safe-text.js'
import { ChildServer, MAX_MESSAGE_BYTES } from './child-server.js'
import { ClientStdio } from './client-stdio.js'
import { HttpServer } from './http-server.js'
import { type OpenContract, openContract } from './open-contract.js'
import { readProxyArguments, type ServerPlace } from './proxy-arguments.js'
import { PROXY_HELP } from './proxy-help.js'
import { refuseClient } from './refuse-client.js'
import { type LeftBy, Relay } from './relay.js'
import { ServerNotes } from './server-notes.js'
import { ConnectionFailed } from './wire-error.js'

/** `writ mcp`: one client, one server, one session between them. */
export async function proxy(args: readonly string[], io: CliIo): Promise<number> {
  const { isHelp, config, server } = readProxyArguments(args, io.env)
  if (isHelp || server === undefined) {
    await io.stdout.write(PROXY_HELP)
    return EXIT.ok
  }
  const input = io.openInput()
  try {
    const opened = await openContract(config, io)
    const client = new ClientStdio(input, io.stdout, opened.contract.maxMessageBytes)
    return await connect(client, server, opened, io)
  } catch (error) {
    // A client that is only told that the program has ended shows nothing that helps.
    const client = new ClientStdio(input, io.stdout, MAX_MESSAGE_BYTES)
    if (error instanceof CommandFailed) await refuseClient(client, error.message)
    throw error
  } finally {
    input.close()
  }
}

async function connect(
  client: ClientStdio,
  place: ServerPlace,
  opened: OpenContract,
  io: CliIo,
): Promise<number> {
  const { contract, agent, pins } = opened
  const notes = new ServerNotes(contract.server, io)
  const server = transportTo(place, contract.maxMessageBytes, io, notes)
  let session: Session | undefined
  try {
    session = agent.open(contract.user, contract.task === undefined ? {} : { task: contract.task })
    const pinned = pins === undefined ? {} : { pins: filePins(pins) }
    const governed = govern<McpTransport>(server, { server: contract.server, session, ...pinned })
    const relay = new Relay(client, governed, (of, error) => notes.say(of, error))
    io.onStop(() => relay.end())
    await started(governed)
    await client.start()
    const by = await relay.ended
    // Its end is on record before anybody waits for a process to end.
    const ended = session.close()
    const stopped = server.close()
    await ended
    await stopped
    await client.close()
    await agent.close()
    return statusOf(by, server, notes)
  } finally {
    await server.close()
    await agent.close()
  }
}

function transportTo(
  place: ServerPlace,
  maxMessageBytes: number,
  io: CliIo,
  notes: ServerNotes,
): ChildServer | HttpServer {
  if ('url' in place) return new HttpServer(place.url, { headers: place.headers, maxMessageBytes })
  const { command, args } = place
  return new ChildServer(command, args, {
    env: io.env,
    maxMessageBytes,
    onWords: (line) => notes.words(line),
  })
}

async function started(server: McpTransport): Promise<void> {
  try {
    await server.start()
  } catch (cause) {
    if (cause instanceof ConnectionFailed) throw new CommandFailed(EXIT.noServer, cause.message, { cause })
    throw cause
  }
}

async function statusOf(by: LeftBy, server: McpTransport, notes: ServerNotes): Promise<number> {
  if (by !== 'server') return EXIT.ok
  await notes.write(`the server is gone: ${safeText(endOf(server))}`)
  return EXIT.noServer
}

function endOf(server: McpTransport): string {
  return (server instanceof ChildServer ? server.end : undefined) ?? 'it has closed the connection'
}
