import { describe, expect, test } from 'vitest'
import { bytesOf, chain, fileOf } from '../support/audit-logs.js'
import { headOf, historyOf, keyOf, noteOver, ORIGIN, segmentedLog, timeOf } from '../support/signed-logs.js'
import { writ } from './test-io.js'

const lines = chain(Array.from({ length: 10 }, (_, seq) => ({ ts: timeOf(seq) })))
const log = fileOf(lines)
const key = String(keyOf().verifierKey)
const head = `${10}:${headOf(lines).hash}`
const nowMs = Date.UTC(2026, 0, 1, 3)
const signed = {
  log,
  'log.checkpoint': noteOver(lines, 8),
  'log.checkpoints': historyOf([noteOver(lines, 3), noteOver(lines, 8)]),
}
const jsonOf = (out: string) => JSON.parse(out) as Record<string, unknown>

describe('writ verify --key', () => {
  test('uses the checkpoints beside the log, and says what they do not cover', async () => {
    const { status, out, err } = await writ(['verify', 'log', '--key', key], { logs: signed, nowMs })
    expect({ status, err }).toEqual({ status: 0, err: '' })
    expect(out.split('\n')[0]).toBe(
      'VALID (signed): consistent from the first record to the last, and a known key has signed it, but for the last 2 records; the oldest of them is 2 h old',
    )
    expect(out).toContain(`covered  records 0 to 7, by a checkpoint that ${keyOf().verifierKey.label} signed`)
    expect(out).toContain(`not      records 8 to 9, by nothing; the oldest is of ${timeOf(8)}, 2 h ago`)
  })

  test('from a file, with times and remarks', async () => {
    const file = (text: string) => ({ ...signed, keys: text })
    const run = (text: string) => writ(['verify', 'log', '--key', 'keys'], { logs: file(text) })
    expect(await run(`# ours\n\n${key} from=2026-01-01 until=2027-01-01\r\n`)).toMatchObject({ status: 0 })
    expect(await run(`${key} until=2026-01-01T00:00:05Z`)).toMatchObject({ status: 5 })
    for (const [text, said] of [
      ['', 'holds no key'],
      ['hello', 'line 1: verifier key'],
      [`${key}\n${key} from=2026`, 'line 2: expected'.slice(0, 6)],
      [`${key} from=2026-01-01 from=2026-01-02`, 'from is given twice'],
      [`${keyOf().encode()}\n`, 'holds a private key'],
    ] as const) {
      const { status, err, out } = await run(text)
      expect({ status, out }).toEqual({ status: 64, out: '' })
      expect(err).toContain(said)
      expect(err).not.toContain(keyOf().encode().slice(-20))
    }
  })

  test.each<[args: string[], said: string]>([
    [['--key', keyOf().encode()], 'this is a private key'],
    [['--key', 'missing'], 'neither a key'],
    [['--key', `${key.slice(0, -8)}AAAAAAA=`], '--key: line 1'],
    [['--head', '10'], '--head: "10" is not'],
    [['--head', `10:${'A'.repeat(64)}`], '64 hexadecimal digits'],
    [['--checkpoint', 'missing'], '--checkpoint: "missing" is not there'],
    [['--checkpoint', 'log'], 'not a signed note'],
    [['--require', 'both'], 'neither signed nor anchored'],
    [['--origin='], '--origin'],
    [['--format', 'aegrail', '--key', key], '--key does not apply to this format'],
    [['--format', 'aegrail', '--head', head], '--head does not apply'],
    [['--format', 'aegrail', '--proof', 'x'], '--proof does not apply'],
    [['--proof', 'x'], '--proof needs --key'],
    [['--proof', 'x', '--key', key, '--head', head], '--head does not apply to one record'],
    [['--proof', 'x', '--key', key], '--proof: x is not there'],
  ])('%j: exit 64', async (args, said) => {
    const { status, out, err } = await writ(['verify', 'log', ...args], { logs: signed })
    expect({ status, out }).toEqual({ status: 64, out: '' })
    expect(err).toContain(said)
  })

  test('--json has everything', async () => {
    const { status, out } = await writ(['verify', 'log', '--json', '--key', key], { logs: signed, nowMs })
    expect(status).toBe(0)
    expect(jsonOf(out)).toEqual({
      verdict: 'VALID',
      exit: 0,
      size: 10,
      bytes: log.length,
      head: headOf(lines).hash,
      log_id: expect.any(String),
      fault: null,
      assurance: 'signed',
      first: 0,
      covered: 8,
      anchored: 0,
      uncovered: { records: 2, since: timeOf(8), age_ms: nowMs - Date.parse(timeOf(8)) },
      checkpoints: [8, 8, 3].map((size) => ({
        size,
        assurance: 'signed',
        keys: [keyOf().verifierKey.label],
        outcome: 'holds',
      })),
      findings: [],
      files: ['log'],
    })
  })
})

test('--head and --checkpoint anchor a log, and --require asks for that', async () => {
  const logs = { ...signed, kept: noteOver(lines, 10) }
  expect(await writ(['verify', 'log', '--head', head], { logs })).toMatchObject({ status: 0 })
  expect((await writ(['verify', 'log', '--head', head], { logs })).out).toMatch(/^VALID \(anchored\): /)
  expect(
    await writ(['verify', '-', '--checkpoint', 'kept'], { logs: { '-': log, kept: logs.kept } }),
  ).toMatchObject({ status: 0 })
  const short = await writ(['verify', 'log', '--key', key, '--require', 'anchored'], { logs })
  expect(short.status).toBe(1)
  expect(short.out.split('\n')[0]).toContain('more was required')
  expect(
    await writ(['verify', 'log', '--key', key, '--require=anchored', '--head', head], { logs }),
  ).toMatchObject({ status: 0 })
})

test.each<[name: string, files: Record<string, string | Uint8Array>, status: number, said: string]>([
  ['cut', { log: fileOf(lines.slice(0, 5)) }, 3, 'TRUNCATED: '],
  ['empty', { log: '' }, 3, 'TRUNCATED: '],
  [
    'rewritten',
    { log: fileOf(chain(Array.from({ length: 10 }, () => ({ payload: '{"x":1}' })))) },
    4,
    'REWRITTEN: ',
  ],
  [
    'with a forged checkpoint',
    { 'log.checkpoint': noteOver(lines, 8).replace('8\n', '9\n') },
    5,
    'UNTRUSTED: ',
  ],
  [
    'with a cut history',
    { 'log.checkpoints': historyOf([noteOver(lines, 8)]).slice(0, -20) },
    0,
    'checkpoint_cut',
  ],
  [
    'whose checkpoints nobody known signed',
    { 'log.checkpoint': noteOver(lines, 8, [keyOf(ORIGIN, 9)]), 'log.checkpoints': '' },
    1,
    'checkpoint_unknown_keys',
  ],
])('a log %s', async (_, files, status, said) => {
  const ran = await writ(['verify', 'log', '--key', key], { logs: { ...signed, ...files } })
  expect(ran.out).toContain(said)
  expect(ran.status).toBe(status)
})

describe('several files', () => {
  const rotated = segmentedLog(
    Array.from({ length: 12 }, () => ({})),
    [4, 9],
  )
  const files = Object.fromEntries(rotated.files.map((file) => [`d/${file.name}`, fileOf(file.lines)]))
  const logs = { ...files, 'd/audit.jsonl.checkpoint': noteOver(rotated.lines) }

  test('are one log, by its own name', async () => {
    const { status, out } = await writ(['verify', 'd/audit.jsonl', '--key', key], { logs, pieceBytes: 99 })
    expect(status).toBe(0)
    expect(out).toContain('files    d/audit.000000000000.jsonl, d/audit.000000000004.jsonl, d/audit.jsonl\n')
    expect(out).toContain('records  12')
  })

  test('one of them alone is checked from what it says was before it', async () => {
    const { status, out } = await writ(['verify', 'd/audit.000000000004.jsonl', '--key', key, '--json'], {
      logs,
    })
    expect(status).toBe(1)
    expect(jsonOf(out)).toMatchObject({ first: 4, size: 9, files: ['d/audit.000000000004.jsonl'] })
  })

  test('without the oldest, without the newest, without one between', async () => {
    const without = async (name: string) => {
      const { [`d/${name}`]: _, ...rest } = logs as Record<string, string | Uint8Array>
      const { status, out } = await writ(['verify', 'd/audit.jsonl', '--key', key, '--json'], { logs: rest })
      return { status, report: jsonOf(out) }
    }
    expect(await without('audit.000000000000.jsonl')).toMatchObject({
      status: 0,
      report: { verdict: 'VALID', first: 4, findings: [{ kind: 'segment_missing' }, {}] },
    })
    expect(await without('audit.000000000004.jsonl')).toMatchObject({
      status: 2,
      report: { verdict: 'TAMPERED', size: 4 },
    })
    expect(await without('audit.jsonl')).toMatchObject({
      status: 3,
      report: {
        verdict: 'TRUNCATED',
        size: 9,
        findings: [{ kind: 'segment_missing', detail: expect.stringContaining('d/audit.jsonl') }, {}],
      },
    })
  })

  test('a folder: a report for each log, and the worst exit status', async () => {
    const other = { 'd/b.jsonl': log, 'd/b.jsonl.checkpoint': noteOver(lines, 10), 'd/notes.txt': 'x' }
    const all = await writ(['verify', 'd', '--key', key, '--json'], { logs: { ...logs, ...other } })
    expect(all.status).toBe(0)
    expect(
      all.out
        .trim()
        .split('\n')
        .map((line) => jsonOf(line)['files']),
    ).toEqual([['d/audit.000000000000.jsonl', 'd/audit.000000000004.jsonl', 'd/audit.jsonl'], ['d/b.jsonl']])
    const worse = { ...logs, ...other, 'd/b.jsonl': fileOf(lines.slice(1)), 'd/c.jsonl': log }
    const { status, out } = await writ(['verify', 'd', '--key', key], { logs: worse })
    expect(status).toBe(2)
    expect(out.match(/^[A-Z]+/gm)?.filter((word) => word.length > 4)).toEqual(
      expect.arrayContaining(['VALID', 'TAMPERED', 'UNANCHORED']),
    )
    expect(await writ(['verify', 'd', '--head', head], { logs: { ...logs, ...other } })).toMatchObject({
      status: 64,
    })
    expect(await writ(['verify', 'e'], { logs: { 'e/x.txt': 'x' } })).toMatchObject({
      status: 66,
      err: 'writ: cannot read the log: e: there is no log in this folder\n',
    })
  })
})

describe('writ prove, and writ verify --proof', () => {
  test('a record is proven, and checked with its line alone', async () => {
    for (const seq of [0, 3, 7]) {
      const { status, out, made } = await writ(['prove', 'log', '--seq', String(seq), '--out', 'p'], {
        logs: signed,
        pieceBytes: 50,
      })
      expect({ status, made: Object.keys(made) }).toEqual({ status: 0, made: ['p', 'p.record'] })
      expect(out).toContain('writ verify p.record --proof p --key KEY')
      expect(made['p.record']?.text).toBe(`${lines[seq]}\n`)
      const alone = { p: made['p']?.text ?? '', r: made['p.record']?.text ?? '' }
      const checked = await writ(['verify', 'r', '--proof', 'p', '--key', key], { logs: alone })
      expect(checked).toMatchObject({ status: 0, err: '' })
      expect(checked.out).toMatch(`VALID (signed): this is record ${seq} of the 8 records of ${ORIGIN} that`)
      const json = await writ(['verify', '-', '--proof', 'p', '--key', key, '--json'], {
        logs: { ...alone, '-': alone.r },
      })
      expect(jsonOf(json.out)).toMatchObject({ verdict: 'VALID', exit: 0, seq, size: 8, origin: ORIGIN })
      for (const [record, verdict, exit] of [
        [lines[seq + 1] ?? '', 'TAMPERED', 2],
        [`${lines[seq]}\n${lines[seq]}\n`, 'MALFORMED', 6],
        ['x'.repeat(100_000), 'MALFORMED', 6],
        ['hello', 'MALFORMED', 6],
      ] as const) {
        const wrong = await writ(['verify', 'r', '--proof', 'p', '--key', key], {
          logs: { ...alone, r: record },
        })
        expect(wrong.out).toContain(`${verdict}: `)
        expect(wrong.status).toBe(exit)
      }
      const stranger = String(keyOf(ORIGIN, 5).verifierKey)
      expect(await writ(['verify', 'r', '--proof', 'p', '--key', stranger], { logs: alone })).toMatchObject({
        status: 1,
      })
      const forged = { ...alone, p: alone.p.replace('\n8\n', '\n9\n') }
      expect(await writ(['verify', 'r', '--proof', 'p', '--key', key], { logs: forged })).toMatchObject({
        status: 5,
      })
    }
  })

  test('without --out the proof alone goes to standard output', async () => {
    const { out, made } = await writ(['prove', 'log', '--seq=5'], { logs: signed })
    expect(out).toMatch(/^c2sp\.org\/tlog-proof@v1\nindex 5\n/)
    expect(made).toEqual({})
    expect(
      await writ(['verify', '-', '--proof', 'p', '--key', key], { logs: { '-': `${lines[5]}\n`, p: out } }),
    ).toMatchObject({ status: 0 })
  })

  const rotated = segmentedLog(
    Array.from({ length: 12 }, () => ({})),
    [4],
  )
  const tail = {
    'audit.jsonl': fileOf(rotated.files[1]!.lines),
    'audit.jsonl.checkpoint': noteOver(rotated.lines),
  }
  const noTree = segmentedLog(
    Array.from({ length: 12 }, () => ({})),
    [4],
    { tree: false },
  )

  test('a first record that only claims to be a later one changes nothing', async () => {
    const payload = JSON.stringify({
      previous: { file: 'x', size: 2, hash: 'a'.repeat(64), tree: ['b'.repeat(64)] },
    })
    const log = chain([{ event: 'log_open', payload }, {}, {}])
    const logs = { log: fileOf(log), 'log.checkpoint': noteOver(log) }
    for (const seq of [0, 1, 2]) {
      const { status, out } = await writ(['prove', 'log', '--seq', String(seq)], { logs })
      expect(status).toBe(0)
      const proven = { '-': `${log[seq]}\n`, p: out }
      expect(await writ(['verify', '-', '--proof', 'p', '--key', key], { logs: proven })).toMatchObject({
        status: 0,
      })
    }
  })

  test.each([1, 4, 5, 6, 7, 8, 11, 12])(
    'each record that is left is proven where the first %i are gone',
    async (gone) => {
      const log = segmentedLog(
        Array.from({ length: 13 }, () => ({})),
        [gone],
      )
      const left = { 'a.jsonl': fileOf(log.files[1]!.lines), 'a.jsonl.checkpoint': noteOver(log.lines) }
      for (let seq = gone; seq < 13; seq++) {
        const { status, out } = await writ(['prove', 'a.jsonl', '--seq', String(seq)], { logs: left })
        expect(status).toBe(0)
        const checked = await writ(['verify', '-', '--proof', 'p', '--key', key], {
          logs: { '-': `${log.lines[seq]}\n`, p: out },
        })
        expect(checked.out).toContain(`VALID (signed): this is record ${seq} of the 13 records`)
      }
    },
  )

  test.each<
    [name: string, args: string[], logs: Record<string, string | Uint8Array>, status: number, said: string]
  >([
    [
      'a record that no checkpoint covers',
      ['log', '--seq', '8'],
      signed,
      65,
      'no checkpoint beside this log covers record 8 yet',
    ],
    [
      'a log without checkpoints',
      ['log', '--seq', '8'],
      { log },
      65,
      'there is no checkpoint beside this log',
    ],
    [
      'a log that was changed',
      ['log', '--seq', '2'],
      { ...signed, log: fileOf(lines.slice(1)) },
      65,
      'the log is TAMPERED',
    ],
    [
      'a log that was rewritten',
      ['log', '--seq', '2'],
      { ...signed, log: fileOf(chain(Array.from({ length: 10 }, () => ({ payload: '{"x":1}' })))) },
      65,
      'the log is REWRITTEN',
    ],
    [
      'a log that was cut',
      ['log', '--seq', '2'],
      { ...signed, log: fileOf(lines.slice(0, 4)) },
      65,
      'the log is TRUNCATED',
    ],
    ['a record that is gone', ['audit.jsonl', '--seq', '3'], tail, 65, 'record 3 is gone'],
    [
      'a record after some that are gone, and their tree',
      ['audit.jsonl', '--seq', '7'],
      {
        ...tail,
        'audit.jsonl': fileOf(noTree.files[1]!.lines),
        'audit.jsonl.checkpoint': noteOver(noTree.lines),
      },
      65,
      'does not hold the Merkle tree over them',
    ],
    [
      'a record after some that are gone, whose tree is another one',
      ['audit.jsonl', '--seq', '7'],
      { ...tail, 'audit.jsonl.checkpoint': noteOver(noTree.lines) },
      65,
      'the log is REWRITTEN',
    ],
    [
      'one finished segment',
      ['audit.000000000004.jsonl', '--seq', '7'],
      { ...tail, 'audit.000000000004.jsonl': log },
      65,
      'a finished segment of audit.jsonl',
    ],
    ['no record', ['log'], signed, 64, 'which record?'],
    ['something else', ['log', '--seq', '-1'], signed, 64, '--seq'],
    ['something else', ['log', '--seq', '1e3'], signed, 64, 'is no number of a record'],
    ['standard input', ['-', '--seq', '1'], signed, 64, 'from a file'],
    ['a missing log', ['x', '--seq', '1'], signed, 66, 'there is no such file'],
    [
      'into a file that is there',
      ['log', '--seq', '1', '--out', 'log'],
      signed,
      73,
      'nothing is overwritten',
    ],
  ])('of %s %j: no proof', async (_, args, logs, status, said) => {
    const ran = await writ(['prove', ...args], { logs })
    expect(ran).toMatchObject({ status, out: '', made: {} })
    expect(ran.err).toContain(said)
  })
})

describe('writ keygen', () => {
  test('makes a private key for its owner alone, and prints the one that verifies', async () => {
    const { status, out, made } = await writ(['keygen', 'k', '--name', ORIGIN])
    expect(status).toBe(0)
    expect(Object.keys(made)).toEqual(['k', 'k.pub'])
    expect(made['k']).toMatchObject({ secret: true, text: expect.stringMatching(/^PRIVATE\+KEY\+.*\n$/) })
    expect(made['k.pub']).toMatchObject({ secret: false, text: `${out.split('\n')[0]}\n` })
    expect(out).not.toContain('PRIVATE')
  })

  test.each<[args: string[], status: number, said: string]>([
    [[], 64, 'where to?'],
    [['k'], 64, 'what is the key called?'],
    [['k', 'l', '--name', ORIGIN], 64, 'one too many'],
    [['k', '--name', 'a b'], 64, '--name: key name'],
    [['k', '--name', 'a+b'], 64, '--name: key name'],
    [['there', '--name', ORIGIN], 73, 'nothing is overwritten'],
    // No private key is left behind either.
    [['half', '--name', ORIGIN], 73, 'half.pub: there is something of that name'],
  ])('%j: exit %i', async (args, status, said) => {
    const ran = await writ(['keygen', ...args], { logs: { there: bytesOf('x'), 'half.pub': bytesOf('x') } })
    expect(ran).toMatchObject({ status, out: '', made: {} })
    expect(ran.err).toContain(said)
  })
})

test.each(['prove', 'keygen'])('%s --help', async (command) => {
  const { status, out } = await writ([command, '--help'])
  expect(status).toBe(0)
  expect(out).toContain(`Usage: writ ${command}`)
})
