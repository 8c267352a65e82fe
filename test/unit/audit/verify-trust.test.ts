/// <reference lib="es2023.array" />
import { describe, expect, test } from 'vitest'
import {
  type FindingKind,
  LogVerifier,
  prepareTrust,
  VerifierKey,
  type VerifyOptions,
  verifyLog,
} from 'writ/verify'
import { bytesOf, chain, fileOf, piecesOf, rewritten } from '../../support/audit-logs.js'
import { headOf, historyOf, keyOf, noteOver, ORIGIN, timeOf } from '../../support/signed-logs.js'

const lines = chain(Array.from({ length: 20 }, (_, seq) => ({ ts: timeOf(seq), synced: seq - 1 })))
const log = fileOf(lines)
const keys = [keyOf().verifierKey]
const stranger = keyOf(ORIGIN, 2)
const kinds = (report: { findings: readonly { kind: FindingKind }[] }) =>
  report.findings.map(({ kind }) => kind)
/** The same records with another second one, every hash anew. */
const other = rewritten(lines.with(1, lines[1]!.replace('"depth":0', '"depth":1')))

describe('VALID', () => {
  test('signed: under a key that the verifier supplied, with what is not covered', async () => {
    const report = await verifyLog(log, { keys, checkpoints: [noteOver(lines, 15)] })
    expect(report).toMatchObject({
      verdict: 'VALID',
      assurance: 'signed',
      size: 20,
      covered: 15,
      anchored: 0,
      uncovered: { records: 5, since: timeOf(15) },
      checkpoints: [{ size: 15, assurance: 'signed', keys: [keyOf().verifierKey.label], outcome: 'holds' }],
      findings: [],
      fault: undefined,
    })
  })

  test('of every size: the tree is compared where the checkpoint is of', async () => {
    for (let size = 1; size <= lines.length; size++) {
      for (const pieces of [1, 100, 65_536]) {
        const report = await verifyLog(piecesOf(log, pieces), { keys, checkpoints: [noteOver(lines, size)] })
        expect(report).toMatchObject({ verdict: 'VALID', covered: size, uncovered: { records: 20 - size } })
        expect(report.uncovered.since).toBe(size === 20 ? undefined : timeOf(size))
      }
    }
  })

  test('anchored: by a head that was remembered, without any key', async () => {
    const report = await verifyLog(log, { remembered: { heads: [headOf(lines, 12)] } })
    expect(report).toMatchObject({
      verdict: 'VALID',
      assurance: 'anchored',
      covered: 12,
      anchored: 12,
      uncovered: { records: 8, since: timeOf(12) },
    })
  })

  test('anchored: by a checkpoint that was kept elsewhere, as it is where no key is given', async () => {
    const note = noteOver(lines, 9, [stranger])
    const remembered = { checkpoints: [note] }
    expect(await verifyLog(log, { remembered })).toMatchObject({ verdict: 'VALID', assurance: 'anchored' })
    expect(
      await verifyLog(log, { remembered: { checkpoints: [bytesOf(note)] }, origin: ORIGIN }),
    ).toMatchObject({
      verdict: 'VALID',
    })
    const elsewhere = await verifyLog(log, { remembered, origin: 'example.com/other' })
    expect(elsewhere).toMatchObject({ verdict: 'UNANCHORED', covered: 0 })
    expect(kinds(elsewhere)).toEqual(['checkpoint_other_log'])
    // With a key it has to verify as well.
    const unknown = await verifyLog(log, { keys, remembered })
    expect(unknown).toMatchObject({ verdict: 'UNANCHORED', assurance: undefined, covered: 0 })
    expect(kinds(unknown)).toEqual(['checkpoint_unknown_keys'])
    const known = await verifyLog(log, { keys, remembered: { checkpoints: [noteOver(lines, 9)] } })
    expect(known).toMatchObject({ verdict: 'VALID', assurance: 'anchored', covered: 9 })
  })

  test('covered by the largest of several, anchored by the largest that was kept elsewhere', async () => {
    const report = await verifyLog(log, {
      keys,
      checkpoints: [noteOver(lines, 18), historyOf([3, 7, 18].map((size) => noteOver(lines, size)))],
      remembered: { heads: [headOf(lines, 2), headOf(lines, 5)] },
    })
    expect(report).toMatchObject({
      verdict: 'VALID',
      assurance: 'anchored',
      covered: 18,
      anchored: 5,
      uncovered: { records: 2, since: timeOf(18) },
    })
    expect(report.checkpoints.map(({ size }) => size)).toEqual([18, 18, 7, 5, 3, 2])
  })

  test('of an origin that is not the name of the key, when it is said', async () => {
    const note = noteOver(lines, 20, [keyOf()], 'example.com/log')
    expect(await verifyLog(log, { keys, origin: 'example.com/log', checkpoints: [note] })).toMatchObject({
      verdict: 'VALID',
    })
    const report = await verifyLog(log, { keys, checkpoints: [note] })
    expect(report.verdict).toBe('UNANCHORED')
    expect(kinds(report)).toEqual(['checkpoint_other_log'])
  })

  test('push by push it is the same', async () => {
    const options: VerifyOptions = { keys, checkpoints: [noteOver(lines, 15)] }
    const verifier = new LogVerifier(await prepareTrust(options))
    for (const piece of piecesOf(log, 77)) verifier.push(piece)
    expect(verifier.finish()).toEqual(await verifyLog(log, options))
  })
})

describe('what is not VALID', () => {
  const required = { require: 'anchored' } as const

  test('a signed log where an anchor is required', async () => {
    const signed = { keys, checkpoints: [noteOver(lines, 20)], ...required }
    expect(await verifyLog(log, signed)).toMatchObject({ verdict: 'UNANCHORED', covered: 20, anchored: 0 })
    const both = { ...signed, remembered: { heads: [headOf(lines, 1)] } }
    expect(await verifyLog(log, both)).toMatchObject({ verdict: 'VALID', anchored: 1 })
  })

  test.each<[name: string, options: VerifyOptions, kind: FindingKind[]]>([
    ['nothing', {}, []],
    ['a key without a checkpoint', { keys }, []],
    ['a checkpoint without a key', { checkpoints: [noteOver(lines)] }, ['checkpoint_unknown_keys']],
    [
      'a checkpoint of a key that is not known',
      { keys, checkpoints: [noteOver(lines, 20, [stranger])] },
      ['checkpoint_unknown_keys'],
    ],
    ['a checkpoint of nothing', { keys, checkpoints: [noteOver(lines, 0)] }, []],
    ['a remembered checkpoint of nothing', { remembered: { checkpoints: [noteOver(lines, 0)] } }, []],
    ['a remembered head of nothing', { remembered: { heads: [{ size: 0, hash: '0'.repeat(64) }] } }, []],
    ['an empty file', { keys, checkpoints: [''] }, []],
    ['a checkpoint that was cut', { keys, checkpoints: [noteOver(lines).slice(0, -1)] }, ['checkpoint_cut']],
    ['a checkpoint that is none', { keys, checkpoints: ['hello\n'] }, ['checkpoint_cut']],
    [
      'a checkpoint with another text',
      { keys, checkpoints: [noteOver(lines).replace('20\n', '20 \n')] },
      ['checkpoint_forged'],
    ],
  ])('by %s', async (_, options, kind) => {
    const report = await verifyLog(log, options)
    expect(report.verdict).toBe(kind[0] === 'checkpoint_forged' ? 'UNTRUSTED' : 'UNANCHORED')
    expect(report).toMatchObject({ covered: 0, uncovered: { records: 20, since: timeOf(0) } })
    expect(kinds(report)).toEqual(kind)
  })

  test('a checkpoint cut anywhere: never trusted, never forged', async () => {
    const note = noteOver(lines)
    for (const whole of [note, historyOf([noteOver(lines, 3), note])]) {
      for (let length = 0; length < whole.length - (whole === note ? 0 : 1); length++) {
        const report = await verifyLog(log, { keys, checkpoints: [whole.slice(0, length)] })
        expect(report.covered).toBe(length > note.length && whole !== note ? 3 : report.covered)
        expect(['UNANCHORED', ...(whole === note ? [] : ['VALID'])]).toContain(report.verdict)
        expect(report.covered).toBeLessThan(20)
      }
    }
  })
})

describe('TRUNCATED', () => {
  const options = { keys, checkpoints: [noteOver(lines, 15)] }

  test('a log with fewer records than were signed or remembered, down to none', async () => {
    for (let kept = 0; kept < 15; kept++) {
      const cut = fileOf(lines.slice(0, kept))
      for (const trust of [options, { remembered: { heads: [headOf(lines, 15)] } }]) {
        const report = await verifyLog(cut, trust)
        expect(report).toMatchObject({ verdict: 'TRUNCATED', size: kept, assurance: undefined, covered: 0 })
        expect(report.checkpoints).toMatchObject([{ size: 15, outcome: 'truncated' }])
      }
    }
    expect(await verifyLog(fileOf(lines.slice(0, 15)), options)).toMatchObject({ verdict: 'VALID' })
  })

  test('also where a smaller checkpoint holds', async () => {
    const report = await verifyLog(fileOf(lines.slice(0, 10)), {
      keys,
      checkpoints: [noteOver(lines, 5), noteOver(lines, 15)],
    })
    expect(report).toMatchObject({ verdict: 'TRUNCATED', covered: 5 })
  })
})

describe('REWRITTEN', () => {
  test('another log that holds together, by its root and by its head', async () => {
    expect(await verifyLog(fileOf(other))).toMatchObject({ verdict: 'UNANCHORED', size: 20 })
    for (let size = 2; size <= 20; size++) {
      for (const trust of [
        { keys, checkpoints: [noteOver(lines, size)] },
        { remembered: { heads: [headOf(lines, size)] } },
        { remembered: { checkpoints: [noteOver(lines, size)] } },
      ]) {
        const report = await verifyLog(fileOf(other), trust)
        expect(report).toMatchObject({ verdict: 'REWRITTEN', covered: 0, assurance: undefined })
        expect(report.checkpoints).toMatchObject([{ size, outcome: 'rewritten' }])
      }
    }
  })

  test('by whoever has the key, where an older checkpoint was kept elsewhere, or is left beside it', async () => {
    const resigned = { keys, checkpoints: [noteOver(other)] }
    expect(await verifyLog(fileOf(other), resigned)).toMatchObject({ verdict: 'VALID', assurance: 'signed' })
    for (const trust of [
      { ...resigned, remembered: { heads: [headOf(lines, 9)] } },
      { ...resigned, remembered: { checkpoints: [noteOver(lines, 9)] } },
      { keys, checkpoints: [noteOver(other), historyOf([noteOver(lines, 9)])] },
    ]) {
      expect(await verifyLog(fileOf(other), trust)).toMatchObject({ verdict: 'REWRITTEN' })
    }
  })

  test('before TRUNCATED, and before UNTRUSTED', async () => {
    const checkpoints = [noteOver(lines, 5), noteOver([...lines, ...lines], 30)]
    expect(await verifyLog(fileOf(other), { keys, checkpoints })).toMatchObject({ verdict: 'REWRITTEN' })
    const forged = noteOver(lines, 20).replace('20\n', '21\n')
    expect(await verifyLog(fileOf(other), { keys, checkpoints: [forged, noteOver(lines, 5)] })).toMatchObject(
      {
        verdict: 'REWRITTEN',
      },
    )
  })
})

describe('UNTRUSTED', () => {
  const forged = noteOver(lines, 20).replace('20\n', '19\n')

  test('a signature in the name of a known key that it never made, also when another checkpoint holds', async () => {
    for (const trust of [
      { checkpoints: [forged] },
      { checkpoints: [noteOver(lines, 15), forged] },
      { checkpoints: [noteOver(lines, 15)], remembered: { checkpoints: [forged] } },
      { checkpoints: [forged], remembered: { heads: [headOf(lines, 20)] } },
    ]) {
      const report = await verifyLog(log, { keys, ...trust })
      expect(report).toMatchObject({ verdict: 'UNTRUSTED', assurance: undefined })
      expect(kinds(report)).toEqual(['checkpoint_forged'])
    }
  })

  test('a checkpoint over records outside of the time that its key is good for', async () => {
    const [key] = keys as [(typeof keys)[0]]
    const judge = (from: number | undefined, until: number | undefined, ...sizes: number[]) =>
      verifyLog(log, {
        keys: [
          {
            key,
            ...(from === undefined ? {} : { validFrom: timeOf(from) }),
            ...(until === undefined ? {} : { validUntil: Date.parse(timeOf(until)) }),
          },
        ],
        checkpoints: sizes.map((size) => noteOver(lines, size)),
      })
    // The last record of ten is that of second 9.
    expect(await judge(9, 10, 10)).toMatchObject({ verdict: 'VALID', covered: 10 })
    expect(await judge(undefined, 10, 10)).toMatchObject({ verdict: 'VALID' })
    for (const [from, until, ...sizes] of [
      [10, undefined, 10],
      [undefined, 9, 10],
      [0, 9, 10],
      [0, 10, 10, 11],
      // One that is larger than the log can only be later than its last record.
      [0, 15, 25],
    ] as const) {
      const all = [...lines, ...lines]
      const report =
        sizes[0] === 25
          ? await verifyLog(log, {
              keys: [{ key, validUntil: timeOf(15) }],
              checkpoints: [noteOver(all, 25)],
            })
          : await judge(from, until, ...sizes)
      expect(report.verdict).toBe('UNTRUSTED')
      expect(kinds(report)).toContain('checkpoint_out_of_time')
      expect(report.checkpoints[0]).toMatchObject({ outcome: 'out_of_time' })
    }
  })

  test('a key that is given twice is good only within both its times', async () => {
    const [key] = keys as [(typeof keys)[0]]
    const twice = VerifierKey.parse(String(key))
    const checkpoints = [noteOver(lines, 10)]
    for (const span of [{ validFrom: timeOf(10) }, { validUntil: timeOf(9) }]) {
      for (const both of [
        [key, { key: twice, ...span }],
        [{ key: twice, ...span }, key],
      ]) {
        expect(await verifyLog(log, { keys: both, checkpoints })).toMatchObject({ verdict: 'UNTRUSTED' })
      }
    }
  })

  test('a key with a time, over a record whose time cannot be read', async () => {
    const odd = chain([{ ts: 'yesterday' }, { ts: 'the day before yesterday' }])
    const trust = { keys: [{ key: keys[0]!, validFrom: 0 }], checkpoints: [noteOver(odd)] }
    expect(await verifyLog(fileOf(odd), trust)).toMatchObject({ verdict: 'UNTRUSTED' })
    expect(await verifyLog(fileOf(odd), { ...trust, keys })).toMatchObject({ verdict: 'VALID' })
  })
})

describe('a fault of the chain decides first', () => {
  const changed = fileOf(lines.with(8, lines[8]!.replace('"depth":0', '"depth":1')))
  const trust = { keys, checkpoints: [noteOver(lines, 5), noteOver(lines, 20)] }

  test('TAMPERED and MALFORMED, whatever else there is', async () => {
    expect(await verifyLog(changed, trust)).toMatchObject({ verdict: 'TAMPERED', size: 8, covered: 5 })
    expect(await verifyLog(bytesOf('hello\n'), trust)).toMatchObject({ verdict: 'MALFORMED' })
    const forged = { keys, checkpoints: [noteOver(lines).replace('20\n', '19\n')] }
    expect(await verifyLog(changed, forged)).toMatchObject({ verdict: 'TAMPERED' })
  })

  test('damage stays damage unless somebody trusted has seen what is damaged', async () => {
    const cut = log.subarray(0, -10)
    const sized = (size: number) => ({ keys, checkpoints: [noteOver(lines, size)] })
    expect(await verifyLog(cut)).toMatchObject({ verdict: 'CRASH_DAMAGED', size: 19 })
    expect(await verifyLog(cut, sized(19))).toMatchObject({ verdict: 'CRASH_DAMAGED', covered: 19 })
    expect(await verifyLog(cut, sized(20))).toMatchObject({ verdict: 'TAMPERED', size: 19 })
    expect(await verifyLog(cut, { remembered: { heads: [headOf(lines, 20)] } })).toMatchObject({
      verdict: 'TAMPERED',
    })
    const holed = log.slice().fill(0, log.length - 200, log.length - 100)
    expect(await verifyLog(holed, sized(19))).toMatchObject({ verdict: 'CRASH_DAMAGED' })
    expect(await verifyLog(holed, sized(20))).toMatchObject({ verdict: 'TAMPERED' })
    // And it does not hide that what is before it is another log.
    expect(await verifyLog(fileOf(other).subarray(0, -10), sized(9))).toMatchObject({ verdict: 'REWRITTEN' })
  })
})

describe('options that are wrong', () => {
  const key = keys[0]!
  test.each<[said: string, options: unknown]>([
    ['verify options: expected an options object', 'keys'],
    ['unknown option key', { key }],
    ['keys: expected an array', { keys: key }],
    ['keys[0]: expected a VerifierKey', { keys: [String(key)] }],
    ['keys[0].key: expected a VerifierKey', { keys: [{ key: 'x' }] }],
    ['keys[0].validFrom: expected an ISO 8601 time', { keys: [{ key, validFrom: 'yesterday' }] }],
    ['keys[0].validUntil: expected an ISO 8601 time', { keys: [{ key, validUntil: Number.NaN }] }],
    ['keys[0]: validFrom is not before validUntil', { keys: [{ key, validFrom: 5, validUntil: 5 }] }],
    ['origin: expected a text', { origin: '' }],
    ['checkpoints[0]: expected a text or bytes', { checkpoints: [{}] }],
    ['remembered: unknown option head', { remembered: { head: [] } }],
    ['remembered.heads[0].hash', { remembered: { heads: [{ size: 1, hash: 'A'.repeat(64) }] } }],
    ['remembered.heads[0].size', { remembered: { heads: [{ size: -1, hash: 'a'.repeat(64) }] } }],
    ['remembered.checkpoints[0]: not a signed note', { remembered: { checkpoints: ['hello'] } }],
    ['require: expected signed or anchored', { require: 'both' }],
  ])('%s', async (said, options) => {
    await expect(verifyLog(log, options as VerifyOptions)).rejects.toThrow(said)
  })
})
