import fc from 'fast-check'
import { expect, test } from 'vitest'
import { type AuditRecord, AuditSink, WritError } from 'writ'
import { fakeClock } from 'writ/testing'
import { verifyLog } from 'writ/verify'
import { AuditLog } from '../../src/audit/log.js'
import { MAX_LINE_BYTES } from '../../src/audit/record.js'
import { encodeJson } from '../../src/core/json-text.js'
import { agentOn, bytesOf, toolThat } from '../support/audit-logs.js'
import { ScriptedSink } from '../support/scripted-sink.js'

/** What a terminal or a reader could be deceived with: controls, and what is invisible; half a pair as well. */
const UNSAFE = /[\p{Cc}\p{Zl}\p{Zp}\p{Bidi_Control}\u00ad\u200b-\u200f\u2060-\u206f\ufeff\p{Cs}]/u

const anything = fc.anything({
  withBigInt: true,
  withDate: true,
  withMap: true,
  withNullPrototype: true,
  withObjectString: true,
  withSet: true,
  withSparseArray: true,
  withTypedArray: true,
  withUnicodeString: true,
})

test('whatever is recorded, the line is JSON, in one line, short enough, safe to print, and the chain holds', async () => {
  await fc.assert(
    fc.asyncProperty(fc.array(anything, { minLength: 1, maxLength: 5 }), async (values) => {
      const sink = AuditSink.memory()
      const agent = agentOn(
        sink,
        toolThat(
          () => 1,
          () => values.shift(),
        ),
      )
      const count = values.length
      await agent.session('alice', async (s) => {
        for (let call = 0; call < count; call++) await s.callTool('act', {})
      })
      await agent.close()
      for (const line of sink.lines) {
        expect(Buffer.byteLength(line)).toBeLessThan(MAX_LINE_BYTES)
        expect(line.isWellFormed()).toBe(true)
        expect(line).not.toMatch(UNSAFE)
        expect(() => JSON.parse(line)).not.toThrow()
      }
      expect(sink.records.filter(({ event }) => event === 'tool_call')).toHaveLength(count)
      const report = await verifyLog(bytesOf(sink.text()))
      expect(report).toMatchObject({ verdict: 'UNANCHORED', size: sink.lines.length })
    }),
    { numRuns: 300 },
  )
})

test('texts come back from the log as they were, lone surrogates apart', () => {
  fc.assert(
    fc.property(fc.string({ unit: 'binary', maxLength: 200 }), fc.string({ maxLength: 50 }), (task, key) => {
      const sink = new ScriptedSink()
      const log = AuditLog.of(sink, fakeClock())
      log.append('session_start', encodeJson({ task, [`k${key}`]: task }))
      const { payload } = JSON.parse(sink.lines.at(-1) ?? '') as AuditRecord
      expect(payload).toEqual({ task: task.toWellFormed(), [`k${key}`]: task.toWellFormed() })
    }),
    { numRuns: 500 },
  )
})

/** A step of a log under a primary that may fail and a side that may lose. */
const steps = fc.array(
  fc.oneof(
    { weight: 8, arbitrary: fc.constant('append' as const) },
    { weight: 2, arbitrary: fc.constant('side refuses' as const) },
    { weight: 2, arbitrary: fc.constant('side loses' as const) },
    { weight: 1, arbitrary: fc.constant('second passes' as const) },
    { weight: 1, arbitrary: fc.constant('primary fails' as const) },
  ),
  { maxLength: 40 },
)

test('every record that was taken is in the primary once, and every one that the side lacks is counted', async () => {
  await fc.assert(
    fc.asyncProperty(steps, async (script) => {
      const clock = fakeClock()
      let refusing = false
      let failing = false
      const taken: string[] = []
      const primary = new ScriptedSink({
        durable: true,
        append: () => {
          if (failing) throw new RangeError('no')
        },
      })
      const side: ScriptedSink = new ScriptedSink({
        append: () => {
          if (refusing) throw new RangeError('no')
        },
      })
      const log = AuditLog.of(AuditSink.composite(side, primary), clock)
      let lost = 0
      for (const [index, step] of script.entries()) {
        if (step === 'second passes') clock.block(1000)
        if (step === 'side loses') {
          side.host?.dropped(1)
          lost += 1
        }
        if (step === 'primary fails') failing = true
        refusing = step === 'side refuses'
        try {
          log.append('charge', `{"step":${index}}`)
          taken.push(`{"step":${index}}`)
        } catch (error) {
          expect(WritError.isInstance(error) && error.code).toBe('ERR_AUDIT_UNAVAILABLE')
          expect(failing).toBe(true)
        }
        refusing = false
      }
      const closed = await log.release().then(
        () => true,
        () => false,
      )
      expect(closed).toBe(!failing)
      expect(primary.payloads('charge').map((payload) => JSON.stringify(payload))).toEqual(taken)
      expect((await verifyLog(bytesOf(primary.text))).verdict).toBe('UNANCHORED')
      if (!closed) return
      const counted = (primary.payloads('sink_dropped') as { count: number }[]).reduce(
        (sum, { count }) => sum + count,
        0,
      )
      expect(counted).toBe(primary.lines.length - side.lines.length + lost)
    }),
    { numRuns: 300 },
  )
})
