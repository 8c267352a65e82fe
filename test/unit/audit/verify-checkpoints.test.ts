import { describe, expect, test } from 'vitest'
import { MAX_HISTORY_NOTES, type VerifyOptions, verifyLog } from 'writ/verify'
import { chain, fileOf } from '../../support/audit-logs.js'
import { historyOf, keyOf, noteOver, ORIGIN, timeOf } from '../../support/signed-logs.js'

const lines = chain(Array.from({ length: 20 }, (_, seq) => ({ ts: timeOf(seq), synced: seq - 1 })))
const log = fileOf(lines)
const key = keyOf().verifierKey
const stranger = keyOf('example.com/other', 2)

const judge = async (checkpoints: VerifyOptions['checkpoints'], options: Partial<VerifyOptions> = {}) => {
  const report = await verifyLog(log, { keys: [key], ...options, ...(checkpoints && { checkpoints }) })
  return { ...report, findings: report.findings.map(({ kind, count, detail }) => ({ kind, count, detail })) }
}

describe('a checkpoint that a crash has cut, with another one after it', () => {
  const whole = noteOver(lines, 9)
  const cut = noteOver(lines, 7)
  const found = {
    kind: 'checkpoint_cut',
    count: 1,
    detail: 'a checkpoint is cut, as a crash leaves it, and another one follows',
  }

  test.each([
    ['under the name of its key', {}],
    ['under the origin that was said', { origin: ORIGIN }],
  ])('forges nothing, and the one after it counts: %s', async (_, options) => {
    for (const length of [1, ORIGIN.length, ORIGIN.length + 3, cut.indexOf('\n\n')]) {
      const report = await judge([historyOf([cut.slice(0, length) + whole])], options)
      expect(report).toMatchObject({ verdict: 'VALID', covered: 9 })
      expect(report.findings).toContainEqual(found)
    }
  })

  test('forges nothing where the cut is in its signature, which the one after it is then lost in', async () => {
    for (const length of [cut.indexOf('\n\n') + 4, cut.length - 5]) {
      const report = await judge([historyOf([cut.slice(0, length) + whole])])
      expect(report).toMatchObject({ verdict: 'UNANCHORED', covered: 0 })
      expect(report.findings.map(({ kind }) => kind)).toContain('checkpoint_malformed')
    }
  })

  test('and one that is whole has lost nothing', async () => {
    expect(await judge([historyOf([whole])])).toMatchObject({ verdict: 'VALID', findings: [] })
  })

  test('and a forged one after it is forged', async () => {
    const forged = whole.replace('\n9\n', '\n8\n')
    expect(await judge([historyOf([cut.slice(0, 5) + forged])])).toMatchObject({ verdict: 'UNTRUSTED' })
  })

  test('and the last one, with nothing after it, is left out', async () => {
    const report = await judge([historyOf([whole]) + cut.slice(0, -5)])
    expect(report).toMatchObject({ verdict: 'VALID', covered: 9 })
    expect(report.findings).toEqual([
      { ...found, detail: 'the last checkpoint of a file is cut, as a crash leaves it' },
    ])
  })
})

test('of too many checkpoints the newest are checked, and that is said', async () => {
  const old = noteOver(lines, 3)
  const notes = [...Array.from({ length: MAX_HISTORY_NOTES }, () => old), noteOver(lines, 9)]
  const report = await judge([historyOf(notes)])
  expect(report).toMatchObject({ verdict: 'VALID', covered: 9 })
  expect(report.findings).toEqual([
    {
      kind: 'checkpoints_skipped',
      count: 1,
      detail: 'there are more checkpoints than are checked; the newest were',
    },
  ])
})

test('several checkpoints that say nothing for the same reason are one finding, which counts them', async () => {
  const strange = [4, 5, 6].map((size) => noteOver(lines, size, [stranger]))
  expect((await judge(strange)).findings).toMatchObject([{ kind: 'checkpoint_unknown_keys', count: 3 }])
})

test('a checkpoint that was kept for another log says so', async () => {
  const remembered = { checkpoints: [noteOver(lines, 9)] }
  const { findings } = await verifyLog(log, { remembered, origin: 'example.com/other' })
  expect(findings).toMatchObject([
    { kind: 'checkpoint_other_log', count: 1, detail: 'a checkpoint that was given is of another log' },
  ])
})

test('only the times of the keys that have signed a checkpoint count for it', async () => {
  const early = { key: stranger.verifierKey, validUntil: timeOf(1) }
  const keys = [{ key, validUntil: timeOf(15) }, early]
  expect(await judge([noteOver(lines, 9)], { keys })).toMatchObject({ verdict: 'VALID', covered: 9 })
  const both = noteOver(lines, 9, [keyOf(), stranger])
  expect(await judge([both], { keys })).toMatchObject({ verdict: 'UNTRUSTED' })
})

describe('what a verifier asks for that there is not', () => {
  test.each<[said: string, options: unknown]>([
    ['checkpoints: expected an array', { checkpoints: 'x' }],
    ['remembered.checkpoints: expected an array', { remembered: { checkpoints: 'x' } }],
    ['remembered.heads: expected an array', { remembered: { heads: 'x' } }],
    ['keys[0].validFrom: expected an ISO 8601 time or milliseconds, got', { keys: [{ key, validFrom: {} }] }],
    ['remembered.heads[0].hash', { remembered: { heads: [{ size: 1, hash: ['a'.repeat(64)] }] } }],
  ])('%s', async (said, options) => {
    await expect(verifyLog(log, options as VerifyOptions)).rejects.toThrow(said)
  })

  test('an anchor: a signature alone is then not enough, and without asking it is', async () => {
    for (const require of [undefined, 'signed', 'anchored'] as const) {
      const options = require === undefined ? {} : { require }
      const { verdict } = await judge([noteOver(lines, 9)], options)
      expect(verdict).toBe(require === 'anchored' ? 'UNANCHORED' : 'VALID')
    }
    const remembered = { checkpoints: [noteOver(lines, 9)] }
    expect(await judge(undefined, { remembered, require: 'anchored' })).toMatchObject({ verdict: 'VALID' })
  })

  test('a key without a time is good at any time', async () => {
    const keys = [{ key, validFrom: undefined, validUntil: undefined }] as never
    expect(await judge([noteOver(lines, 9)], { keys })).toMatchObject({ verdict: 'VALID' })
  })
})
