import { hash } from 'node:crypto'
import { closeSync, mkdtempSync, openSync, rmSync, writeSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { AuditLog } from '../src/audit/log.js'
import { systemClock } from '../src/core/clock.js'
import { fileSink } from '../src/sinks/file.js'
import { measure, report } from './harness.js'
import { NaiveLog } from './naive.js'

const SESSION = {
  session_id: '01M7XRNGAM00EE0G1W2MXJS3GH',
  agent_identity: 'support-bot/v1',
  invoking_user: 'alice',
  principal: 'support-bot/v1@01M7XRNGAM00EE0G1W2MXJS3GH',
}
const PAYLOAD = {
  call_id: '01M7XRNGAM00EE0G1W2MXJS3GH.4',
  tool: 'refund',
  args: ['orderId'],
  enforcement: 'enforced',
}
const BUDGET = { usd: 0.012, tokens: 420, wall_ms: 5, tool_calls: 1, llm_calls: 1, depth: 0, denials: 3 }
const BATCH = 200

/** CPU of one record: sealed and handed to the kernel. */
export async function benchEmit(): Promise<void> {
  const folder = mkdtempSync(join(tmpdir(), 'writ-bench-'))
  const naiveFd = openSync(join(folder, 'naive.jsonl'), 'a')
  const floorFd = openSync(join(folder, 'floor.jsonl'), 'a')
  const naive = new NaiveLog(naiveFd)
  const log = AuditLog.of(fileSink(join(folder, 'writ.jsonl'), { durability: 'os' }), systemClock)
  const session = JSON.stringify(SESSION).slice(1, -1).concat(',')
  const budget = `,"budget":${JSON.stringify(BUDGET)}`
  const payload = JSON.stringify(PAYLOAD)
  const line = 'x'.repeat(450)
  const buffer = Buffer.allocUnsafe(BATCH * 600)

  const measured = await measure([
    {
      name: 'floor: stringify, hash, write',
      operations: BATCH,
      run: () => {
        let at = 0
        for (let i = 0; i < BATCH; i++) {
          JSON.stringify(PAYLOAD)
          hash('sha256', line, 'hex')
          at += buffer.write(line, at, 'utf8')
        }
        writeSync(floorFd, buffer, 0, at)
      },
    },
    {
      name: 'writ',
      operations: BATCH,
      run: () => {
        for (let i = 0; i < BATCH; i++) log.append('tool_call', payload, session, budget)
        log.flushSync()
      },
    },
    {
      name: 'naive',
      operations: BATCH,
      run: () => {
        for (let i = 0; i < BATCH; i++) naive.emit('tool_call', SESSION, PAYLOAD, BUDGET)
      },
    },
  ])
  report('emit a record', measured, 'writ', [
    { against: 'floor: stringify, hash, write', atMost: 3 },
    { against: 'naive', atLeast: 4.5 },
  ])
  await log.release()
  closeSync(naiveFd)
  closeSync(floorFd)
  rmSync(folder, { recursive: true })
}
