import { createServer } from 'node:http'
import type { AddressInfo } from 'node:net'

/**
 * Stands where the Gemini API stands: contents on loopback, as JSON or as a stream. The longer it is
 * asked to write, the longer it writes: without end for `for ever`.
 */
const server = createServer(async (request, response) => {
  let text = ''
  for await (const chunk of request) text += String(chunk)
  const usageMetadata = { promptTokenCount: 12, candidatesTokenCount: 5, totalTokenCount: 17 }
  const made = (part: object): object => ({
    candidates: [{ content: { role: 'model', parts: [part] } }],
    usageMetadata,
  })
  if (!request.url?.includes(':streamGenerateContent')) {
    response.setHeader('content-type', 'application/json')
    response.end(JSON.stringify(made({ text: 'An old chair.' })))
    return
  }
  const isEndless = text.includes('for ever')
  response.writeHead(200, { 'content-type': 'text/event-stream' })
  for (let words = 0; (isEndless || words < 5) && !response.destroyed; words += 1) {
    const usage = { ...usageMetadata, candidatesTokenCount: words + 1, totalTokenCount: words + 13 }
    response.write(`data: ${JSON.stringify({ ...made({ text: 'once more ' }), usageMetadata: usage })}\n\n`)
    await new Promise((resolve) => setTimeout(resolve, 1))
  }
  response.end()
})
await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
// The example ends when it has nothing more to do, not when this does.
server.unref()

export const baseUrl: string = `http://127.0.0.1:${(server.address() as AddressInfo).port}`
