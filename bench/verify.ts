import { createHash } from 'node:crypto'
import {
  closeSync,
  createReadStream,
  mkdtempSync,
  openSync,
  readSync,
  rmSync,
  statSync,
  writeSync,
} from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { createInterface } from 'node:readline'
import { GENESIS, seal } from '../src/audit/record.js'
import { LogVerifier } from '../src/audit/verify.js'
import { hashedAhead } from '../src/cli/hashed-ahead.js'
import { readFileLog } from '../src/cli/read-log.js'
import { type Measured, report } from './harness.js'

const CHUNK_BYTES = 1024 * 1024
const ROUNDS = 3
/** Of a verifier, whatever the size of the log. */
const MAX_MEMORY_BYTES = 64e6
const SESSION = '01M7XRNGAM00EE0G1W2MXJS3GH'
const ENVELOPE = `"log_id":"01M7XRNGAK4SYTWV35ZTM7NAWT","session_id":"${SESSION}","agent_identity":"support-bot/v1","invoking_user":"alice","principal":"support-bot/v1@${SESSION}",`
const BUDGET =
  ',"budget":{"usd":0.012,"tokens":420,"wall_ms":5,"tool_calls":1,"llm_calls":1,"depth":0,"denials":3}'

/** Checking a whole log, against one hash over its bytes and against parsing every line. */
export async function benchVerify(records: number): Promise<void> {
  const folder = mkdtempSync(join(tmpdir(), 'writ-bench-'))
  const path = join(folder, 'audit.jsonl')
  try {
    writeLog(path, records)
    const variants = [
      { name: 'floor: one SHA-256 pass', run: () => hashPass(path) },
      { name: 'writ verify, two threads', run: () => verifyAhead(path, records) },
      { name: 'LogVerifier', run: () => verifyPass(path, records) },
      { name: 'writ verify, with its Merkle tree', run: () => verifyAhead(path, records, true) },
      { name: 'LogVerifier with its Merkle tree', run: () => verifyPass(path, records, true) },
      { name: 'naive', run: () => naivePass(path) },
    ]
    const measured: Measured[] = []
    const best = new Map<string, number>()
    // In turn, so that a slow moment of the machine hits all of them.
    for (let round = 0; round < ROUNDS; round++) {
      for (const { name, run } of variants) {
        const started = performance.now()
        await run()
        const us = ((performance.now() - started) * 1000) / records
        best.set(name, Math.min(best.get(name) ?? Number.POSITIVE_INFINITY, us))
      }
    }
    for (const { name } of variants) measured.push({ name, medianUs: best.get(name) ?? Number.NaN })
    report(
      `verify ${records} records, ${Math.round(statSync(path).size / 1e6)} MB, per record`,
      measured,
      'writ verify, two threads',
      [
        { against: 'floor: one SHA-256 pass', atMost: 2.2 },
        { against: 'naive', atLeast: 18 },
      ],
    )
    report(undefined, measured, 'LogVerifier', [{ against: 'floor: one SHA-256 pass' }])
    const peakBytes = await peakOf(path)
    console.log(
      `  ${Math.round(peakBytes / 1e6)} MB at most while it verifies, of ${MAX_MEMORY_BYTES / 1e6} whatever the size: ${peakBytes <= MAX_MEMORY_BYTES ? 'reached' : 'missed'}`,
    )
  } finally {
    rmSync(folder, { recursive: true })
  }
}

function writeLog(path: string, records: number): void {
  const fd = openSync(path, 'w')
  let prevHash = GENESIS
  let lines: string[] = []
  for (let seq = 0; seq < records; seq++) {
    const isCall = seq % 2 === 0
    const id = `${SESSION}.${Math.floor(seq / 2) + 1}`
    const record = seal({
      seq,
      synced: seq - 1,
      ts: new Date(Date.UTC(2026, 0, 1) + seq).toISOString(),
      envelope: ENVELOPE,
      event: isCall ? 'tool_call' : 'tool_result',
      payload: isCall
        ? `{"call_id":"${id}","tool":"refund","args":["orderId"],"enforcement":"enforced"}`
        : `{"call_id":"${id}","ok":true,"elapsed_ms":12,"effect":"occurred"}`,
      budget: BUDGET,
      prevHash,
    })
    prevHash = record.hash
    lines.push(`${record.line}\n`)
    if (lines.length === 1000 || seq === records - 1) {
      writeSync(fd, lines.join(''))
      lines = []
    }
  }
  closeSync(fd)
}

function* chunks(path: string): Generator<Uint8Array> {
  const fd = openSync(path, 'r')
  const buffer = new Uint8Array(CHUNK_BYTES)
  for (let length = readSync(fd, buffer); length > 0; length = readSync(fd, buffer)) {
    yield buffer.subarray(0, length)
  }
  closeSync(fd)
}

function hashPass(path: string): void {
  const hash = createHash('sha256')
  for (const chunk of chunks(path)) hash.update(chunk)
  hash.digest('hex')
}

function verifyPass(path: string, records: number, tree = false): void {
  const verifier = new LogVerifier({}, { tree })
  for (const chunk of chunks(path)) verifier.push(chunk)
  const { verdict, size } = verifier.finish()
  if (verdict !== 'UNANCHORED' || size !== records) throw new TypeError(`${verdict} after ${size} records`)
}

/** As the command does. */
async function verifyAhead(path: string, records: number, tree = false): Promise<void> {
  const verifier = new LogVerifier({}, { tree })
  for await (const [chunk, ahead] of hashedAhead(readFileLog(path))) verifier.push(chunk, ahead)
  const { verdict, size } = verifier.finish()
  if (verdict !== 'UNANCHORED' || size !== records) throw new TypeError(`${verdict} after ${size} records`)
}

/** By how much memory had grown, at most, after any piece of the log. */
async function peakOf(path: string): Promise<number> {
  // Twice: memory of buffers is given back behind the first.
  globalThis.gc?.()
  globalThis.gc?.()
  const usedBytes = (): number => process.memoryUsage().arrayBuffers + process.memoryUsage().heapUsed
  const before = usedBytes()
  const verifier = new LogVerifier()
  let peakBytes = 0
  for await (const [chunk, ahead] of hashedAhead(readFileLog(path))) {
    verifier.push(chunk, ahead)
    peakBytes = Math.max(peakBytes, usedBytes() - before)
  }
  return peakBytes
}

/** Keys sorted at every depth, as a canonical form is commonly made. */
function sorted(value: unknown): unknown {
  if (Array.isArray(value)) return value.map(sorted)
  if (typeof value !== 'object' || value === null) return value
  return Object.fromEntries(
    Object.entries(value)
      .sort(([a], [b]) => (a < b ? -1 : 1))
      .map(([name, member]) => [name, sorted(member)]),
  )
}

/** As it is commonly done: the same work, though what it hashes is not what was sealed. */
async function naivePass(path: string): Promise<void> {
  let previous = GENESIS
  let broken = 0
  let changed = 0
  for await (const line of createInterface({ input: createReadStream(path) })) {
    const { hash, ...record } = JSON.parse(line) as { hash: string; prev_hash: string }
    const digest = createHash('sha256')
      .update(JSON.stringify(sorted(record)))
      .digest('hex')
    if (digest !== hash) changed += 1
    if (record.prev_hash !== previous) broken += 1
    previous = hash
  }
  // Every record: the line was sealed as it stands, and not in a canonical form.
  if (broken > 0 || changed === 0) throw new TypeError(`naive: ${broken} broken links, ${changed} changed`)
}
