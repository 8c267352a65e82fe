import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { setTimeout as wait } from 'node:timers/promises'
import { describe, expect, test } from 'vitest'
import { type AuditRecord, AuditSink } from 'writ'
import type { Durability } from '../../src/sinks/durability.js'
import { fileSink } from '../../src/sinks/file.js'
import { rejection, thrown } from '../support/agents.js'
import { agentOn, temporaryFolder, toolThat } from '../support/audit-logs.js'
import { Disk } from '../support/disk.js'
import { ScriptedSink } from '../support/scripted-sink.js'
import { gate, thenable, turn } from '../support/tools.js'

const linesOf = (path: string): string[] => readFileSync(path, 'utf8').split('\n').slice(0, -1)

function intentsIn(lines: readonly string[]): unknown[] {
  return lines
    .map((line) => JSON.parse(line) as AuditRecord)
    .filter(({ event }) => event === 'tool_call')
    .map(({ payload }) => payload['call_id'])
}

describe('the intent is durable before the tool starts', () => {
  test('in a file on stable storage, for calls alone, calls at once and calls that do not wait', async () => {
    const disk = new Disk()
    const path = join(temporaryFolder(), 'audit.jsonl')
    const ran: string[] = []
    const act = toolThat((callId) => {
      const lines = linesOf(path)
      expect(intentsIn(lines)).toContain(callId)
      const end = lines.findIndex((line) =>
        line.includes(`"event":"tool_call","payload":{"call_id":"${callId}"`),
      )
      const stored =
        readFileSync(path).subarray(0, disk.syncedBytes(path)).toString('utf8').split('\n').length - 1
      expect(stored).toBeGreaterThan(end)
      ran.push(callId)
    })
    const agent = agentOn(fileSink(path, { durability: 'commit' }, disk.io), act)
    await agent.session('alice', async (s) => {
      await s.callTool('act', {})
      await Promise.all(Array.from({ length: 20 }, () => s.callTool('act', {})))
      await s.dispatch({ name: 'act', input: {} })
    })
    agent.sessionSync('alice', (s) => s.callTool('act', {}))
    await agent.close()
    expect(ran).toHaveLength(23)
  })

  test.each<Durability>(['interval', 'os'])(
    'with durability %s, in the hands of the kernel',
    async (durability) => {
      const path = join(temporaryFolder(), 'audit.jsonl')
      let ran = 0
      const act = toolThat((callId) => {
        expect(intentsIn(linesOf(path))).toContain(callId)
        ran += 1
      })
      const agent = agentOn(AuditSink.file(path, { durability }), act)
      await agent.session('alice', (s) =>
        Promise.all(Array.from({ length: 20 }, () => s.callTool('act', {}))),
      )
      agent.sessionSync('alice', (s) => s.callTool('act', {}))
      await agent.close()
      expect(ran).toBe(21)
    },
  )

  test('also in a sink that answers with the same thenable every time, for another record each', async () => {
    const answers: (() => void)[] = []
    const same = thenable<void>((resolve) => answers.push(resolve))
    let waits = false
    const sink = new ScriptedSink({ flush: () => (waits ? same : undefined) })
    let ran = 0
    const agent = agentOn(
      sink,
      toolThat(() => {
        ran += 1
      }),
    )
    await agent.session('alice', async (s) => {
      waits = true
      for (const call of [1, 2]) {
        const called = s.callTool('act', {})
        await turn()
        expect(ran).toBe(call - 1)
        answers.pop()?.()
        await called
        expect(ran).toBe(call)
      }
      waits = false
    })
    await agent.close()
  })

  test('and a tool waits for as long as the disk takes', async () => {
    const disk = new Disk()
    const path = join(temporaryFolder(), 'audit.jsonl')
    let ran = 0
    const agent = agentOn(
      fileSink(path, { durability: 'commit' }, disk.io),
      toolThat(() => {
        ran += 1
      }),
    )
    const storing = gate()
    disk.syncGate = storing.promise
    const done = agent.session('alice', (s) => Promise.all([s.callTool('act', {}), s.callTool('act', {})]))
    await wait(50)
    expect(intentsIn(linesOf(path))).toHaveLength(2)
    expect(ran).toBe(0)
    storing.open()
    await done
    expect(ran).toBe(2)
    await agent.close()
  })

  test('in whatever sense the primary gives to it, of whose own kind it may be', async () => {
    const order: string[] = []
    const sink = new ScriptedSink({
      append: (record) => order.push(`append ${record.parse().event}`),
      flush: async () => {
        await wait(5)
        order.push('flushed')
      },
    })
    const agent = agentOn(
      sink,
      toolThat(() => order.push('ran')),
    )
    await agent.session('alice', (s) => s.callTool('act', {}))
    expect(order.slice(order.indexOf('append tool_call'))).toEqual([
      'append tool_call',
      'flushed',
      'ran',
      'append tool_result',
      'append session_end',
      'flushed',
    ])
    await agent.close()
  })
})

describe('without a durable intent the tool does not run', () => {
  const refuse = (): never => {
    throw new RangeError('the sink says no')
  }
  let isBroken = false
  const whenBroken = (act: () => unknown) => () => (isBroken ? act() : undefined)

  test.each<[name: string, sink: () => ScriptedSink]>([
    ['the sink refuses the record', () => new ScriptedSink({ append: whenBroken(refuse) })],
    [
      'the sink cannot make it durable',
      () =>
        new ScriptedSink({
          flush: whenBroken(() => Promise.reject(new RangeError('no'))) as () => undefined,
          flushSync: whenBroken(refuse),
        }),
    ],
    [
      'the sink throws instead of promising',
      () => new ScriptedSink({ flush: whenBroken(refuse) as () => undefined, flushSync: whenBroken(refuse) }),
    ],
  ])(
    '%s: ERR_AUDIT_UNAVAILABLE from the call, from the session and from every later one',
    async (_, makeSink) => {
      for (const kind of ['session', 'sessionSync'] as const) {
        isBroken = false
        let ran = 0
        const agent = agentOn(
          makeSink(),
          toolThat(() => {
            ran += 1
          }),
        )
        const failures: unknown[] = []
        isBroken = false
        const error =
          kind === 'session'
            ? await rejection(
                agent.session('alice', async (s) => {
                  isBroken = true
                  for (let attempt = 0; attempt < 3; attempt++) {
                    failures.push(await rejection(s.callTool('act', {})))
                  }
                  return 'swallowed'
                }),
              )
            : thrown(() =>
                agent.sessionSync('alice', (s) => {
                  isBroken = true
                  for (let attempt = 0; attempt < 3; attempt++)
                    failures.push(thrown(() => s.callTool('act', {})))
                  return 'swallowed'
                }),
              )
        isBroken = false
        expect(error).toMatchObject({ name: 'AuditUnavailable', code: 'ERR_AUDIT_UNAVAILABLE' })
        expect(new Set([...failures, error]).size).toBe(1)
        expect(await rejection(agent.session('bob', () => 1))).toBe(error)
        expect(ran).toBe(0)
        await agent.close().catch(() => undefined)
      }
    },
  )

  test.each(['writeSync', 'fdatasync'])(
    'a disk on which %s fails, for every one of a hundred calls at once',
    async (call) => {
      const disk = new Disk()
      const path = join(temporaryFolder(), 'audit.jsonl')
      let ran = 0
      const agent = agentOn(
        fileSink(path, { durability: 'commit' }, disk.io),
        toolThat(() => {
          ran += 1
        }),
      )
      const results: PromiseSettledResult<unknown>[] = []
      await rejection(
        agent.session('alice', async (s) => {
          disk.breakNext('EIO', [call])
          results.push(
            ...(await Promise.allSettled(Array.from({ length: 100 }, () => s.callTool('act', {})))),
          )
        }),
      )
      expect(ran).toBe(0)
      expect(results).toHaveLength(100)
      for (const result of results) {
        expect(result).toMatchObject({ status: 'rejected', reason: { code: 'ERR_AUDIT_UNAVAILABLE', path } })
      }
      await agent.close().catch(() => undefined)
    },
  )

  test('a full disk', async () => {
    const disk = new Disk({ freeBytes: 4000 })
    const path = join(temporaryFolder(), 'audit.jsonl')
    const ran: string[] = []
    const agent = agentOn(
      fileSink(path, { durability: 'commit' }, disk.io),
      toolThat((callId) => ran.push(callId)),
    )
    const error = await rejection(
      agent.session('alice', async (s) => {
        for (;;) await s.callTool('act', {})
      }),
    )
    expect(error).toMatchObject({ code: 'ERR_AUDIT_UNAVAILABLE', path })
    expect(ran.length).toBeGreaterThan(0)
    expect(intentsIn(linesOf(path))).toEqual(expect.arrayContaining(ran))
    await agent.close().catch(() => undefined)
  })
})
