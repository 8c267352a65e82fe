import * as fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { governedFetch } from 'writ/openai'
import { bench } from '../support/agents.js'
import { MODEL, prices } from './suite.js'

/** The text that comes out of a governed stream, and what it was charged. */
async function passed(
  chunks: readonly Uint8Array[],
  more: object = { stream_options: { include_usage: true } },
) {
  const b = bench({ budget: { usd: 1_000_000 }, prices })
  const fetch = governedFetch({
    fetch: async () =>
      new Response(
        new ReadableStream({
          start: (controller) => {
            for (const chunk of chunks) controller.enqueue(chunk)
            controller.close()
          },
        }),
        { headers: { 'content-type': 'text/event-stream; charset=utf-8' } },
      ),
  })
  const body = JSON.stringify({ model: MODEL, messages: [], stream: true, max_tokens: 50, ...more })
  const bytes = await b.agent.session('alice', async () =>
    Buffer.from(await (await fetch('http://x/chat/completions', { method: 'POST', body })).arrayBuffer()),
  )
  return { bytes, calls: b.payloads('llm_call') }
}

const bytesOf = (text: string): Uint8Array => new TextEncoder().encode(text)

/** `bytes` in pieces that end at the given places. */
function split(bytes: Uint8Array, at: readonly number[]): Uint8Array[] {
  const ends = [...new Set(at.map((place) => place % (bytes.length + 1)))].sort((a, b) => a - b)
  return [...ends, bytes.length].map((end, index) => bytes.slice(index === 0 ? 0 : ends[index - 1], end))
}

const USAGE = '{"choices":[],"usage":{"prompt_tokens":3,"completion_tokens":4}}'
const DELTA = '{"choices":[{"delta":{"content":"é😀"}}]}'

describe('a stream that is split anywhere', () => {
  const endings = fc.constantFrom('\n', '\r\n', '\r')

  test('passes unchanged, and its usage is read', async () => {
    await fc.assert(
      fc.asyncProperty(fc.array(fc.nat()), endings, fc.boolean(), async (places, end, isEnded) => {
        const lines = [`data: ${DELTA}`, '', ': ping', '', 'event: x', `data:${USAGE}`, '', 'data: [DONE]']
        const text = lines.join(end) + (isEnded ? end + end : '')
        const bytes = bytesOf(text)
        const { bytes: out, calls } = await passed(split(bytes, places))
        expect(out.toString()).toBe(text)
        expect(calls).toMatchObject([{ input_tokens: 3, output_tokens: 4, metering: 'reported' }])
      }),
      { numRuns: 200 },
    )
  })

  test('loses the chunk that nobody asked for, and nothing else', async () => {
    await fc.assert(
      fc.asyncProperty(fc.array(fc.nat()), endings, async (places, end) => {
        const event = (data: string): string => `data: ${data}${end}${end}`
        const bytes = bytesOf(event(DELTA) + event(USAGE) + event('[DONE]'))
        const { bytes: out } = await passed(split(bytes, places), {})
        const rest = out
          .toString()
          .split(/\r\n|\r|\n/)
          .filter((line) => line !== '')
        expect(rest).toEqual([`data: ${DELTA}`, 'data: [DONE]'])
      }),
      { numRuns: 200 },
    )
  })

  test('is estimated where its report is cut off, or no JSON', async () => {
    for (const text of [`data: ${DELTA}\n\ndata: ${USAGE.slice(0, 20)}`, 'data: {nonsense}\n\n']) {
      const { calls } = await passed([bytesOf(text)])
      expect(calls).toMatchObject([{ metering: 'estimated' }])
      expect(calls[0]?.['output_tokens']).toBeGreaterThan(0)
    }
  })

  test('passes an event that is too long to be read, and charges its length', async () => {
    const long = `data: ${'x'.repeat(17 * 1024 * 1024)}`
    const chunks = split(bytesOf(long), [1e6, 5e6, 9e6, 13e6])
    const { bytes, calls } = await passed([...chunks, bytesOf(`\n\ndata: ${DELTA}\n\n`)], {})
    expect(bytes.length).toBe(long.length + 2 + bytesOf(`data: ${DELTA}\n\n`).length)
    expect(calls[0]?.['output_tokens']).toBeGreaterThan(5_000_000)
    const { calls: more } = await passed([...chunks, bytesOf(`\n\ndata: ${USAGE}\n\n`)])
    expect(more).toMatchObject([{ output_tokens: 4, metering: 'reported' }])
  })
})
