import { closeSync, fdatasyncSync, mkdtempSync, openSync, rmSync, writeSync } from 'node:fs'
import { appendFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { AuditLog } from '../src/audit/log.js'
import { generateSigningKey } from '../src/audit/note/generate-signing-key.js'
import { systemClock } from '../src/core/clock.js'
import type { Durability } from '../src/sinks/durability.js'
import { fileSink } from '../src/sinks/file.js'
import { measure, report, type Variant } from './harness.js'
import { NaiveLog } from './naive.js'

const SESSION = {
  session_id: '01M7XRNGAM00EE0G1W2MXJS3GH',
  agent_identity: 'support-bot/v1',
  invoking_user: 'alice',
  principal: 'support-bot/v1@01M7XRNGAM00EE0G1W2MXJS3GH',
}
const PAYLOAD = { call_id: '01M7XRNGAM00EE0G1W2MXJS3GH.4', tool: 'refund', args: ['orderId'] }
const BUDGET = { usd: 0.012, tokens: 420, wall_ms: 5, tool_calls: 1, llm_calls: 1, depth: 0, denials: 3 }
const session = `${JSON.stringify(SESSION).slice(1, -1)},`
const budget = `,"budget":${JSON.stringify(BUDGET)}`
/** Bytes of a record as Writ and the naive log write it. */
const LINE_BYTES = 650
/** In one measured run: more than are signed at once. */
const RECORDS = 1024
const DURABLE_ROUNDS = 16
const TIME_MS = 120
const SIGNING = { key: generateSigningKey('example.com/bench').privateKey, everyRecords: 1000 }

const FLOOR = 'floor: write(2) of as many bytes'
const APPEND_FILE = 'naive: appendFile per event'
const SYNC_EACH = 'naive: fdatasync per event'

/** Emitters that each append a record and wait for its acknowledgement before they append the next. */
export async function benchAppend(): Promise<void> {
  for (const [emitters, atLeast] of [
    [1, 15],
    [16, 25],
    [256, 40],
  ] as const) {
    await withLogs('os', async (log, signed, folder) => {
      const path = join(folder, 'naive.jsonl')
      const naive = new NaiveLog()
      const fd = openSync(join(folder, 'floor.jsonl'), 'a')
      const line = Buffer.alloc(LINE_BYTES, 'x')
      const measured = await measure(
        [
          { name: FLOOR, operations: RECORDS, run: () => writeAgain(fd, line) },
          emitting('writ', emitters, RECORDS, () => acknowledged(log)),
          emitting('writ, signed', emitters, RECORDS, () => acknowledged(signed)),
          emitting(APPEND_FILE, emitters, RECORDS / 4, () => {
            naive.emit('tool_call', SESSION, PAYLOAD, BUDGET)
            return appendFile(path, naive.lines.pop() ?? '')
          }),
        ],
        TIME_MS,
      )
      closeSync(fd)
      report(`append and acknowledge, emitters: ${emitters}`, measured, 'writ', [
        { against: APPEND_FILE, atLeast },
        // A fifth of its speed.
        ...(emitters === 256 ? [{ against: FLOOR, atMost: 5 }] : []),
      ])
      report(undefined, measured, 'writ, signed', [{ against: 'writ' }])
    })
  }
}

/** As {@link benchAppend}, where only what is on stable storage is acknowledged. */
export async function benchDurableAppend(): Promise<void> {
  for (const [emitters, atLeast] of [
    [16, 10],
    [256, 90],
  ] as const) {
    await withLogs('commit', async (log, signed, folder) => {
      const fd = openSync(join(folder, 'naive.jsonl'), 'a')
      const naive = new NaiveLog(fd)
      const records = emitters * DURABLE_ROUNDS
      const measured = await measure(
        [
          emitting('writ', emitters, records, () => acknowledged(log)),
          emitting('writ, signed', emitters, records, () => acknowledged(signed)),
          {
            name: SYNC_EACH,
            operations: 16,
            run: () => {
              for (let record = 0; record < 16; record++) {
                naive.emit('tool_call', SESSION, PAYLOAD, BUDGET)
                fdatasyncSync(fd)
              }
            },
          },
        ],
        TIME_MS,
      )
      closeSync(fd)
      report(`durable append, emitters: ${emitters}`, measured, 'writ', [{ against: SYNC_EACH, atLeast }])
      report(undefined, measured, 'writ, signed', [{ against: 'writ' }])
    })
  }
}

async function withLogs(
  durability: Durability,
  work: (log: AuditLog, signed: AuditLog, folder: string) => Promise<void>,
): Promise<void> {
  const folder = mkdtempSync(join(tmpdir(), 'writ-bench-'))
  const log = AuditLog.of(fileSink(join(folder, 'writ.jsonl'), { durability }), systemClock)
  const signed = AuditLog.of(
    fileSink(join(folder, 'signed.jsonl'), { durability, signing: SIGNING }),
    systemClock,
  )
  try {
    await work(log, signed, folder)
  } finally {
    await Promise.all([log.release(), signed.release()])
    rmSync(folder, { recursive: true })
  }
}

function acknowledged(log: AuditLog): Promise<void> | undefined {
  log.append('tool_call', JSON.stringify(PAYLOAD), session, budget)
  return log.flush()
}

function emitting(name: string, emitters: number, records: number, emit: () => unknown): Variant {
  const each = records / emitters
  const emitter = async (): Promise<void> => {
    for (let record = 0; record < each; record++) await emit()
  }
  const run = (): Promise<unknown> => Promise.all(Array.from({ length: emitters }, emitter))
  return { name, operations: records, run }
}

function writeAgain(fd: number, line: Uint8Array): void {
  for (let record = 0; record < RECORDS; record++) writeSync(fd, line)
}
