import type { JsonRpcMessage } from '../../adapters/mcp/transport.js'
import type { ClientStdio } from './client-stdio.js'
import { CONNECTION_CLOSED, idOf, isRequest } from './parse-message.js'

/** A client says hello at once; somebody at a terminal does not. */
const HELLO_MS = 3000

/** Answers the first request of a client with the reason why there is no server, where the client shows it. */
export async function refuseClient(client: ClientStdio, why: string): Promise<void> {
  let timer: NodeJS.Timeout | undefined
  const first = await new Promise<JsonRpcMessage | undefined>((resolve) => {
    timer = setTimeout(() => resolve(undefined), HELLO_MS)
    client.onmessage = (message) => {
      if (isRequest(message)) resolve(message)
    }
    client.onclose = () => resolve(undefined)
    void client.start()
  })
  clearTimeout(timer)
  if (first !== undefined) {
    const error = { code: CONNECTION_CLOSED, message: `writ: ${why}` }
    await client.send({ jsonrpc: '2.0', id: idOf(first), error }).catch(() => undefined)
  }
  await client.close()
}
