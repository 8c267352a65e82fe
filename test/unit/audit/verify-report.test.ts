/// <reference lib="es2023.array" />
import { describe, expect, test } from 'vitest'
import { LogVerifier, verifyLog } from 'writ/verify'
import { bytesOf, chain, fileOf } from '../../support/audit-logs.js'
import { headOf, keyOf, noteOver, segmentedLog, timeOf } from '../../support/signed-logs.js'
import { rootOf } from '../../support/written-logs.js'

const lines = chain(Array.from({ length: 20 }, (_, seq) => ({ ts: timeOf(seq), synced: seq - 1 })))
const log = fileOf(lines)
const key = keyOf().verifierKey
const segmented = segmentedLog(
  Array.from({ length: 30 }, () => ({})),
  [7, 20],
)
const tail = fileOf(segmented.files[2]!.lines)

describe('the tree over the records', () => {
  test('is kept where it is asked for, and nowhere else', () => {
    const treeOf = (verifier: LogVerifier): string | undefined => {
      verifier.push(log)
      return verifier.tree && Buffer.from(verifier.tree.root()).toString('hex')
    }
    expect(treeOf(new LogVerifier({}, { tree: true }))).toBe(rootOf(lines))
    expect(treeOf(new LogVerifier({}, { tree: false }))).toBeUndefined()
    expect(treeOf(new LogVerifier())).toBeUndefined()
  })

  test('is over the records that hold', () => {
    const verifier = new LogVerifier({}, { tree: true })
    verifier.push(fileOf([...lines.slice(0, 5), 'x']))
    expect(verifier.tree?.size).toBe(5)
  })
})

describe('the log that a report is of', () => {
  test('is the one that its first record names', async () => {
    const named = (id: string) => ({ session: `"x":1,"log_id":${id},` })
    const first = JSON.parse(lines[0]!) as { log_id: string }
    expect((await verifyLog(log)).logId).toBe(first.log_id)
    expect((await verifyLog(fileOf(chain([{}, named('"another"')])))).logId).toBe(first.log_id)
    expect((await verifyLog(fileOf(chain([named('7')])))).logId).toBeUndefined()
  })
})

test('what is no log stays none, whatever comes after it', async () => {
  const report = await verifyLog(bytesOf(`hello\n${lines.map((line) => `${line}\n`).join('')}`))
  expect(report).toMatchObject({ verdict: 'MALFORMED', size: 0 })
})

test('a segment that is missing is named with its last record', async () => {
  const [finding] = (await verifyLog(tail)).findings
  expect(finding?.detail).toContain(`${segmented.files[1]!.name}, which ends at record 19,`)
})

test('a log that says it is signed, and no checkpoint beside it: the finding names the key', async () => {
  const payload = JSON.stringify({ writer: 'writ', origin: key.name, key: String(key) })
  const { findings } = await verifyLog(fileOf(chain([{ event: 'log_open', payload }])), { keys: [key] })
  expect(findings.find(({ kind }) => kind === 'checkpoint_missing')?.detail).toBe(
    `the log says that it is signed by ${String(key)}, and no checkpoint was found beside it`,
  )
})

describe('the checkpoints of a report', () => {
  const reportOf = (sizes: readonly number[], extra: object = {}) =>
    verifyLog(log, { keys: [key], checkpoints: sizes.map((size) => noteOver(lines, size)), ...extra })

  test('are those that do not hold first, then the largest', async () => {
    const { checkpoints } = await reportOf([3, 9, 5], {
      remembered: {
        heads: [{ size: 4, hash: 'a'.repeat(64) }, headOf(lines, 12), { size: 6, hash: 'b'.repeat(64) }],
      },
    })
    expect(checkpoints.map(({ size, outcome }) => [size, outcome])).toEqual([
      [6, 'rewritten'],
      [4, 'rewritten'],
      [12, 'holds'],
      [9, 'holds'],
      [5, 'holds'],
      [3, 'holds'],
    ])
    expect(checkpoints[0]).toEqual({ size: 6, assurance: 'anchored', keys: [], outcome: 'rewritten' })
  })

  test('are a hundred at most, and none that does not hold is left out before one that does', async () => {
    const many = chain(Array.from({ length: 120 }, () => ({})))
    const heads = many.map((_, index) => headOf(many, index + 1)).with(1, { size: 2, hash: 'a'.repeat(64) })
    const { checkpoints } = await verifyLog(fileOf(many), { remembered: { heads } })
    expect(checkpoints.length).toBe(100)
    expect(checkpoints[0]).toMatchObject({ size: 2, outcome: 'rewritten' })
    expect(checkpoints.at(-1)).toMatchObject({ size: 22, outcome: 'holds' })
  })

  test('say why one could not be checked', async () => {
    const { checkpoints, findings } = await verifyLog(tail, {
      remembered: { heads: [headOf(segmented.lines, 20), headOf(segmented.lines, 7)] },
    })
    const details = ['it covers only what is before record 20', 'the log that is left begins at record 20']
    expect(checkpoints.map(({ detail }) => detail)).toEqual(details)
    expect(details).toContain(findings.find(({ kind }) => kind === 'unchecked')?.detail)
  })
})

describe('a checkpoint that says nothing covers nothing', () => {
  test('where the time of its key is over: the oldest record that is not covered is the first', async () => {
    const report = await verifyLog(log, {
      keys: [{ key, validUntil: timeOf(2) }],
      checkpoints: [noteOver(lines, 5)],
    })
    expect(report).toMatchObject({ verdict: 'UNTRUSTED', uncovered: { records: 20, since: timeOf(0) } })
    expect(report.findings.find(({ kind }) => kind === 'checkpoint_out_of_time')?.detail).toContain(
      'outside of the time',
    )
  })

  test("one that is larger than the log is late from the very end of its key's time on", async () => {
    const verdictOf = async (until: number) =>
      (
        await verifyLog(fileOf(lines.slice(0, 10)), {
          keys: [{ key, validUntil: timeOf(until) }],
          checkpoints: [noteOver(lines, 15)],
        })
      ).verdict
    // The last record is that of second 9: a larger one was made in time only if the key was good after that.
    expect(await verdictOf(9)).toBe('UNTRUSTED')
    expect(await verdictOf(10)).toBe('TRUNCATED')
  })
})
