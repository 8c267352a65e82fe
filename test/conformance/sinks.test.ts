import { mkdtempSync, readFileSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { Writable } from 'node:stream'
import { setTimeout as sleep } from 'node:timers/promises'
import { describe, test } from 'vitest'
import { callbackSink } from '../../src/sinks/callback.js'
import type { Durability } from '../../src/sinks/durability.js'
import { fileSink } from '../../src/sinks/file.js'
import { memorySink } from '../../src/sinks/memory.js'
import { stdoutSink } from '../../src/sinks/stdout.js'
import { webhookSink } from '../../src/sinks/webhook.js'
import type { SinkUnderTest } from '../../src/testing/sink-bench.js'
import { sinkSuite } from '../../src/testing/sink-suite.js'
import { Receiver } from '../integration/receiver.js'

/** Lines of a text that ends with LF. */
const linesOf = (text: string): string[] => text.split('\n').slice(0, -1)

function memory(): SinkUnderTest {
  const sink = memorySink()
  return { sink, lines: () => sink.lines, reopen: () => sink }
}

function callback(): SinkUnderTest {
  const lines: string[] = []
  const sink = callbackSink(({ line }) => {
    lines.push(line)
  })
  return { sink, lines: () => lines }
}

function asyncCallback(): SinkUnderTest {
  const lines: string[] = []
  const sink = callbackSink(async ({ line, seq }) => {
    await sleep(1)
    lines[seq] = line
  })
  return { sink, lines: () => lines }
}

async function webhook(): Promise<SinkUnderTest> {
  const receiver = await Receiver.start()
  return {
    sink: webhookSink(receiver.url, { secret: Buffer.alloc(32).toString('base64') }),
    lines: () => linesOf(receiver.text),
    cleanup: () => receiver.stop(),
  }
}

async function flakyWebhook(): Promise<SinkUnderTest> {
  const receiver = await Receiver.start(500, (response) => response.destroy(), 429)
  // A batch whose answer was lost is there twice; its id says so.
  const lines = (): string[] => {
    const batches = new Map(receiver.received.map(({ headers, body }) => [headers['webhook-id'], body]))
    return linesOf(Buffer.concat([...batches.values()]).toString())
  }
  return { sink: webhookSink(receiver.url, { backoffMs: 1 }), lines, cleanup: () => receiver.stop() }
}

function stdout(): SinkUnderTest {
  let text = ''
  const stream = new Writable({
    write(chunk: Buffer, _encoding, done) {
      text += chunk.toString()
      setImmediate(done)
    },
  })
  const real = Object.getOwnPropertyDescriptor(process, 'stdout') as PropertyDescriptor
  Object.defineProperty(process, 'stdout', { ...real, get: () => stream })
  try {
    return { sink: stdoutSink(), lines: () => linesOf(text) }
  } finally {
    Object.defineProperty(process, 'stdout', real)
  }
}

const file = (durability: Durability) => (): SinkUnderTest => {
  const folder = mkdtempSync(join(tmpdir(), 'writ-suite-'))
  const path = join(folder, 'audit.jsonl')
  return {
    sink: fileSink(path, { durability }),
    lines: () => linesOf(readFileSync(path, 'utf8')),
    reopen: () => fileSink(path, { durability }),
    cleanup: () => rmSync(folder, { recursive: true }),
  }
}

describe.each([
  ['file, commit', file('commit')],
  ['file, interval', file('interval')],
  ['file, os', file('os')],
  ['memory', memory],
  ['callback', callback],
  ['callback with promises', asyncCallback],
  ['stdout', stdout],
  ['webhook', webhook],
  ['webhook with a receiver that fails at times', flakyWebhook],
] as const)('%s', (_, make) => {
  for (const { name, run } of sinkSuite(make)) test(name, run)
})
