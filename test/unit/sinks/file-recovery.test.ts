import { createHash } from 'node:crypto'
import { existsSync, readdirSync, readFileSync, statSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { describe, expect, test } from 'vitest'
import { type AuditRecord, AuditSink } from 'writ'
import { verifyLog } from 'writ/verify'
import { fileSink } from '../../../src/sinks/file.js'
import { thrown } from '../../support/agents.js'
import { agentOn, chain, fileOf, temporaryFolder } from '../../support/audit-logs.js'
import { Disk } from '../../support/disk.js'

/** A log that an agent wrote, and its bytes. */
async function writtenLog(): Promise<{ path: string; bytes: Buffer; lastLine: number }> {
  const path = join(temporaryFolder(), 'audit.jsonl')
  const agent = agentOn(AuditSink.file(path))
  await agent.session('alice', (s) => s.callTool('act', {}))
  await agent.close()
  const bytes = readFileSync(path)
  return { path, bytes, lastLine: bytes.lastIndexOf('\n', bytes.length - 2) + 1 }
}

const recordsIn = (path: string): AuditRecord[] =>
  readFileSync(path, 'utf8')
    .trimEnd()
    .split('\n')
    .map((line) => JSON.parse(line) as AuditRecord)

const filesBeside = (path: string): string[] => readdirSync(join(path, '..')).sort()

describe('a log whose last line is cut', () => {
  test('is set aside from the cut on, says so in its next record, and goes on', async () => {
    const { path, bytes, lastLine } = await writtenLog()
    const cut = bytes.subarray(0, lastLine + 100)
    writeFileSync(path, cut)
    expect((await verifyLog(cut)).verdict).toBe('CRASH_DAMAGED')

    const agent = agentOn(AuditSink.file(path))
    await agent.session('bob', (s) => s.callTool('act', {}))
    await agent.close()

    const torn = `${path}.torn-${lastLine}`
    expect(readFileSync(torn)).toEqual(cut.subarray(lastLine))
    expect(statSync(torn).mode & 0o777).toBe(0o600)
    const all = recordsIn(path)
    expect(all[5]).toMatchObject({
      event: 'log_recovered',
      payload: {
        offset: lastLine,
        bytes: 100,
        sha256: createHash('sha256').update(cut.subarray(lastLine)).digest('hex'),
      },
    })
    expect(all[6]).toMatchObject({ event: 'log_open' })
    expect(new Set(all.map(({ log_id }) => log_id)).size).toBe(1)
    expect(readFileSync(path).subarray(0, lastLine)).toEqual(bytes.subarray(0, lastLine))
    expect(await verifyLog(readFileSync(path))).toMatchObject({ verdict: 'UNANCHORED', size: all.length })
  })

  test('is recovered wherever it is cut, without gluing a record to what is left', async () => {
    const { bytes, lastLine } = await writtenLog()
    for (let length = lastLine + 1; length < bytes.length; length += 7) {
      const path = join(temporaryFolder(), 'audit.jsonl')
      writeFileSync(path, bytes.subarray(0, length))
      await agentOn(AuditSink.file(path)).close()
      expect(await verifyLog(readFileSync(path))).toMatchObject({ verdict: 'UNANCHORED', size: 8 })
      expect(filesBeside(path)).toEqual(['audit.jsonl', `audit.jsonl.torn-${lastLine}`])
    }
  })

  test('is recovered when it is the only line', async () => {
    const { path, bytes } = await writtenLog()
    writeFileSync(path, bytes.subarray(0, 50))
    await agentOn(AuditSink.file(path)).close()
    expect(recordsIn(path).map(({ event, seq }) => [event, seq])).toEqual([
      ['log_recovered', 0],
      ['log_open', 1],
      ['log_close', 2],
    ])
    expect((await verifyLog(readFileSync(path))).verdict).toBe('UNANCHORED')
  })

  test('is recovered when only the LF is missing', async () => {
    const { path, bytes, lastLine } = await writtenLog()
    writeFileSync(path, bytes.subarray(0, -1))
    await agentOn(AuditSink.file(path)).close()
    expect(readFileSync(`${path}.torn-${lastLine}`)).toEqual(bytes.subarray(lastLine, -1))
    expect((await verifyLog(readFileSync(path))).verdict).toBe('UNANCHORED')
  })

  test('is recovered again and again at one place, and every piece is kept', async () => {
    const { path, bytes, lastLine } = await writtenLog()
    for (const length of [10, 20, 30]) {
      writeFileSync(path, bytes.subarray(0, lastLine + length))
      await agentOn(AuditSink.file(path)).close()
    }
    const pieces = ['', '.1', '.2'].map((suffix) => readFileSync(`${path}.torn-${lastLine}${suffix}`).length)
    expect(pieces).toEqual([10, 20, 30])
    expect((await verifyLog(readFileSync(path))).verdict).toBe('UNANCHORED')
  })
})

test('a hole of zeros past what was stored is crash damage; one before it is not', async () => {
  const lines = chain(Array.from({ length: 6 }, (_, seq) => ({ synced: seq < 4 ? -1 : 1 })))
  const bytes = Buffer.from(fileOf(lines))
  const starts = lines.map((_, index) => fileOf(lines.slice(0, index)).length)

  const late = Buffer.from(bytes).fill(0, starts[3]! + 5, starts[3]! + 60)
  const path = join(temporaryFolder(), 'audit.jsonl')
  writeFileSync(path, late)
  await agentOn(AuditSink.file(path)).close()
  expect(readFileSync(`${path}.torn-${starts[3]}`)).toEqual(late.subarray(starts[3]))
  expect((await verifyLog(readFileSync(path))).verdict).toBe('UNANCHORED')

  const early = Buffer.from(bytes).fill(0, starts[1]! + 5, starts[1]! + 60)
  writeFileSync(path, early)
  expect(thrown(() => agentOn(AuditSink.file(path)))).toMatchObject({
    code: 'ERR_AUDIT_DAMAGED',
    verdict: 'TAMPERED',
    seq: 1,
  })
  expect(readFileSync(path)).toEqual(early)
})

describe('a log that was tampered with', () => {
  test.each<[name: string, tamper: (bytes: Buffer, starts: number[]) => Buffer, seq: number]>([
    ['a changed byte', (bytes, starts) => change(bytes, starts[2]! + 100), 2],
    ['a changed byte in the last line', (bytes, starts) => change(bytes, starts.at(-1)! + 100), 5],
    [
      'a missing line',
      (bytes, starts) => Buffer.concat([bytes.subarray(0, starts[1]), bytes.subarray(starts[2])]),
      1,
    ],
    ['a line twice', (bytes, starts) => Buffer.concat([bytes, bytes.subarray(starts.at(-1))]), 6],
    ['a blank line at its end', (bytes) => Buffer.concat([bytes, Buffer.from('\n')]), 6],
  ])('%s: it is refused, named and not touched', async (_, tamper, seq) => {
    const { path, bytes } = await writtenLog()
    const starts = [0, ...[...bytes.keys()].filter((at) => bytes[at] === 0x0a).map((at) => at + 1)].slice(
      0,
      -1,
    )
    const tampered = tamper(bytes, starts)
    writeFileSync(path, tampered)
    const error = thrown(() => agentOn(AuditSink.file(path)))
    expect(error).toMatchObject({
      name: 'AuditDamaged',
      code: 'ERR_AUDIT_DAMAGED',
      verdict: 'TAMPERED',
      path,
      seq,
    })
    expect(error).toMatchObject({ offset: seq < 6 ? starts[seq] : bytes.length })
    expect((error as Error).message).toContain('keep the file as evidence')
    expect(readFileSync(path)).toEqual(tampered)
    expect(filesBeside(path)).toEqual(['audit.jsonl'])
  })
})

test('a recovery that fails halfway changes nothing, leaves no part of a copy, and works the next time', async () => {
  const { bytes, lastLine } = await writtenLog()
  const cut = bytes.subarray(0, lastLine + 100)
  const calls = (path: string): number => {
    const disk = new Disk()
    writeFileSync(path, cut)
    fileSink(path, {}, disk.io).open({ dropped: () => undefined })
    return disk.counted
  }
  const total = calls(join(temporaryFolder(), 'audit.jsonl'))
  expect(total).toBeGreaterThan(10)
  for (let failAt = 0; failAt < total; failAt++) {
    const path = join(temporaryFolder(), 'audit.jsonl')
    writeFileSync(path, cut)
    const disk = new Disk({ failAt })
    const failed = attempt(() => fileSink(path, {}, disk.io).open({ dropped: () => undefined }))
    if (failed !== undefined) {
      expect(failed).toMatchObject({ code: 'ERR_AUDIT_UNAVAILABLE', path })
      // Either nothing has been cut off yet, or all that was cut off is kept.
      const kept = filesBeside(path)[1]
      const isCopied =
        kept !== undefined && readFileSync(join(path, '..', kept)).equals(cut.subarray(lastLine))
      if (!isCopied) expect(readFileSync(path)).toEqual(cut)
      await agentOn(AuditSink.file(path)).close()
      expect((await verifyLog(readFileSync(path))).verdict).toBe('UNANCHORED')
    }
  }
})

test('a disk that is full while damage is set aside leaves the log as it is', async () => {
  const { path, bytes, lastLine } = await writtenLog()
  const cut = bytes.subarray(0, lastLine + 100)
  writeFileSync(path, cut)
  for (let round = 0; round < 3; round++) {
    const disk = new Disk({ freeBytes: 60 })
    expect(thrown(() => agentOn(fileSink(path, {}, disk.io)))).toMatchObject({
      code: 'ERR_AUDIT_UNAVAILABLE',
      message: expect.stringContaining('the disk is full'),
    })
    expect(readFileSync(path)).toEqual(cut)
    expect(existsSync(`${path}.torn-${lastLine}`)).toBe(false)
  }
})

function change(bytes: Buffer, at: number): Buffer {
  const changed = Buffer.from(bytes)
  changed[at] = changed[at]! ^ 1
  return changed
}

function attempt(action: () => unknown): unknown {
  try {
    action()
    return undefined
  } catch (error) {
    return error
  }
}
