import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { describe, expect, test } from 'vitest'
import { type AuditRecord, AuditSink } from 'writ'
import { verifyLog } from 'writ/verify'
import { MAX_LINE_BYTES } from '../../src/audit/record.js'
import { rejection, thrown } from '../support/agents.js'
import { agentOn, bytesOf, fileOf, temporaryFolder, toolThat } from '../support/audit-logs.js'
import { ScriptedSink } from '../support/scripted-sink.js'

const parse = (lines: readonly string[]): AuditRecord[] =>
  lines.map((line) => JSON.parse(line) as AuditRecord)
const linesOf = (path: string): string[] => readFileSync(path, 'utf8').split('\n').slice(0, -1)

describe('one writer, one chain', () => {
  test('whatever runs at the same time, in whichever agent, every record is there once, in one chain without gaps', async () => {
    const path = join(temporaryFolder(), 'audit.jsonl')
    const sink = AuditSink.file(path)
    const agents = [agentOn(sink), agentOn(sink), agentOn(sink)]
    const sessions = agents.flatMap((agent, index) =>
      Array.from({ length: 10 }, (_, user) =>
        agent.session(`user-${index}-${user}`, async (s) => {
          await Promise.all(Array.from({ length: 5 }, () => s.callTool('act', {})))
          s.recordLlm({ model: 'm', inputTokens: 1, outputTokens: 1, costUsd: 0.001 })
          await s.dispatch({ name: 'unknown', input: {} })
          return s.id
        }),
      ),
    )
    const ids = await Promise.all(sessions)
    await Promise.all(agents.map((agent) => agent.close()))

    const all = parse(linesOf(path))
    expect(all.map(({ seq }) => seq)).toEqual(all.map((_, index) => index))
    expect(await verifyLog(readFileSync(path))).toMatchObject({ verdict: 'UNANCHORED', size: all.length })
    for (const id of ids) {
      const own = all.filter(({ session_id }) => session_id === id)
      const count = (event: string): number => own.filter((record) => record.event === event).length
      expect(
        ['session_start', 'tool_call', 'tool_result', 'llm_call', 'tool_denied', 'session_end'].map(count),
      ).toEqual([1, 5, 5, 1, 1, 1])
      // What the session itself says that it has written.
      expect(own.at(-1)).toMatchObject({ event: 'session_end', payload: { records: own.length } })
      expect(new Set(own.map(({ payload }) => payload['call_id']).filter(Boolean)).size).toBe(6)
    }
    expect(all.length).toBe(2 + 30 * 14)
  })

  test('a second writer is refused, and the file is as it was', async () => {
    const path = join(temporaryFolder(), 'audit.jsonl')
    const agent = agentOn(AuditSink.file(path))
    await agent.session('alice', () => 1)
    const before = readFileSync(path)
    expect(thrown(() => agentOn(AuditSink.file(path)))).toMatchObject({ code: 'ERR_AUDIT_LOCKED' })
    expect(readFileSync(path)).toEqual(before)
    await agent.close()
  })
})

describe('nothing is rewritten', () => {
  test('a log only grows: what was in it stays, byte for byte, over calls, sessions and restarts', async () => {
    const path = join(temporaryFolder(), 'audit.jsonl')
    let before = Buffer.alloc(0)
    let grown = 0
    const look = (): void => {
      const now = readFileSync(path)
      expect(now.subarray(0, before.length).equals(before)).toBe(true)
      if (now.length > before.length) grown += 1
      before = now
    }
    for (let round = 0; round < 3; round++) {
      const agent = agentOn(AuditSink.file(path), toolThat(look))
      await agent.session('alice', async (s) => {
        for (let call = 0; call < 5; call++) await s.callTool('act', {})
      })
      look()
      await agent.close()
      look()
    }
    expect(grown).toBeGreaterThan(15)
  })

  test('every byte of every line is under a hash', async () => {
    const sink = AuditSink.memory()
    const agent = agentOn(sink)
    await agent.session('alice', (s) => s.callTool('act', {}), { task: 'Grüße, 東京' })
    await agent.close()
    const bytes = bytesOf(sink.text())
    let line = 0
    for (const [at, byte] of bytes.entries()) {
      const changed = bytes.with(at, byte ^ 0x04)
      const { verdict, size } = await verifyLog(changed)
      expect(verdict).not.toBe('UNANCHORED')
      expect(size).toBe(line)
      if (byte === 0x0a) line += 1
    }
  })
})

describe('nothing is dropped silently', () => {
  test('what a sink beside the primary loses is counted in the primary, under its name', async () => {
    const primary = new ScriptedSink({ durable: true })
    const side = new ScriptedSink({
      name: 'webhook',
      append: ({ seq }) => {
        if (seq % 3 === 0) throw new RangeError('no')
      },
    })
    const agent = agentOn(AuditSink.composite(side, primary))
    for (let session = 0; session < 10; session++) await agent.session('alice', (s) => s.callTool('act', {}))
    await agent.close()
    const missing = primary.lines.length - side.lines.length
    const reports = primary.payloads('sink_dropped') as { sink: string; count: number }[]
    expect(new Set(reports.map(({ sink }) => sink))).toEqual(new Set(['webhook']))
    const counted = reports.reduce((sum, { count }) => sum + count, 0)
    expect(missing).toBeGreaterThan(10)
    // The very last record can be lost by it as well, and nothing comes after that.
    expect(missing - counted).toBeLessThanOrEqual(1)
    expect(side.lines.every((line) => primary.lines.includes(line))).toBe(true)
    expect((await verifyLog(bytesOf(primary.text))).verdict).toBe('UNANCHORED')
  })

  test('a primary that loses a record ends everything', async () => {
    const sink = new ScriptedSink()
    let ran = 0
    const agent = agentOn(
      sink,
      toolThat(() => {
        ran += 1
      }),
    )
    const error = await rejection(
      agent.session('alice', async (s) => {
        await s.callTool('act', {})
        sink.host?.dropped(1, new RangeError('lost'))
        await s.callTool('act', {}).catch(() => undefined)
      }),
    )
    expect(error).toMatchObject({ code: 'ERR_AUDIT_UNAVAILABLE' })
    expect(ran).toBe(1)
    expect(await rejection(agent.close())).toBe(error)
  })

  test('a record that is too long is shortened and says so; the record stands', async () => {
    const path = join(temporaryFolder(), 'audit.jsonl')
    const agent = agentOn(
      AuditSink.file(path),
      toolThat(
        () => 1,
        () => ['x'.repeat(10_000_000)],
      ),
    )
    await agent.session('alice', (s) => s.callTool('act', {}))
    await agent.close()
    const lines = linesOf(path)
    expect(parse(lines).find(({ event }) => event === 'tool_call')?.payload).toMatchObject({
      tool: 'act',
      args: { $omitted: 'too_large' },
    })
    for (const line of lines) expect(Buffer.byteLength(line)).toBeLessThan(MAX_LINE_BYTES)
    expect((await verifyLog(fileOf(lines))).verdict).toBe('UNANCHORED')
  })

  test('the log says when it ends, and how many records it holds', async () => {
    const sink = AuditSink.memory()
    const agent = agentOn(sink)
    await agent.session('alice', () => 1)
    await agent.close()
    expect(sink.records.at(-1)).toMatchObject({ event: 'log_close', payload: { records: sink.lines.length } })
  })
})
