import { readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { describe, expect, test } from 'vitest'
import { ScopeKeys } from 'writ'
import { bytesOf, chain, fileOf, temporaryFolder } from '../support/audit-logs.js'
import { committing, payAgent } from '../support/committing.js'
import { type Ran, type World, writ } from './test-io.js'

const CARD = '4111111111111111'

interface Case {
  readonly folder: string
  readonly log: string
  readonly seq: string
  readonly line: string
  run(args: readonly string[], more?: Readonly<Record<string, string>>): Promise<Ran>
}

/** A log with a call of alice's that committed, and the keys of it. */
async function scenario(pieceBytes = 4096): Promise<Case> {
  const folder = join(temporaryFolder(), 'keys')
  const { agent, sink } = payAgent(committing(['/card', '/amount', '']), ScopeKeys.folder(folder))
  await agent.session('bob', (s) => s.callTool('pay', { card: 'x' }))
  await agent.session('alice', (s) => s.callTool('pay', { card: CARD, amount: -5 }))
  const record = sink.records.find((one) => one.invoking_user === 'alice' && one.event === 'tool_call')
  const seq = String(record?.seq)
  const log = sink.text()
  const line = log.split('\n')[Number(seq)] ?? ''
  const run = (args: readonly string[], more: Readonly<Record<string, string>> = {}) => {
    const texts = { 'audit.jsonl': log, ...more }
    const logs = Object.fromEntries(Object.entries(texts).map(([name, text]) => [name, bytesOf(text)]))
    return writ(['reveal', ...args], { logs, pieceBytes } satisfies World)
  }
  return { folder, log, seq, line, run }
}

const make = ({ folder, seq }: Case, value = `"${CARD}"`, pointer = '/card'): string[] => [
  'audit.jsonl',
  '--seq',
  seq,
  `--pointer=${pointer}`,
  `--value=${value}`,
  '--keys',
  folder,
]

describe('writ reveal', () => {
  test.each([1, 100, 65_536])(
    'writes a disclosure that --check opens: pieces of %i bytes',
    async (pieceBytes) => {
      const a = await scenario(pieceBytes)
      const { status, out, err } = await a.run(make(a))
      expect({ status, err }).toEqual({ status: 0, err: '' })
      expect(JSON.parse(out)).toMatchObject({ v: 1, seq: Number(a.seq), pointer: '/card', value: CARD })
      expect(out.endsWith('}\n')).toBe(true)
      const checks = [
        await a.run(['audit.jsonl', '--check', 'd.json'], { 'd.json': out }),
        await a.run(['record.json', '--check', 'd.json'], { 'd.json': out, 'record.json': a.line }),
        await a.run(['-', '--check', 'd.json'], { 'd.json': out, '-': `${a.line}\n` }),
        await a.run(['audit.jsonl', '--check', '-'], { '-': out }),
      ]
      for (const checked of checks) {
        expect(checked).toMatchObject({ status: 0, err: '' })
        expect(checked.out).toContain(`OPENED: record ${a.seq} commits to this value\n`)
        expect(checked.out).toContain(`value    "${CARD}"`)
        expect(checked.out).toContain('says nothing of the log that the record is from')
      }
    },
  )

  test('takes a value from a file, a number, and the whole input', async () => {
    const a = await scenario()
    const file = { 'value.json': `${JSON.stringify({ amount: -5, card: CARD }, null, 2)}\n` }
    const whole = await a.run(make(a, '@value.json', ''), file)
    expect(whole).toMatchObject({ status: 0, err: '' })
    expect(await a.run(make(a, '-5', '/amount'))).toMatchObject({ status: 0, err: '' })
    const checked = await a.run(['audit.jsonl', '--check', 'd.json'], { 'd.json': whole.out })
    expect(checked.out).toContain('pointer  the whole input')
  })

  test.each<[string, (a: Case) => string[], string]>([
    ['a wrong value', (a) => make(a, '"4242"'), 'do not open'],
    ['a value of another type', (a) => make(a, CARD), 'do not open'],
    [
      'a pointer that was not committed to',
      (a) => make(a, '1', '/cvc'),
      'commits to nothing at that pointer',
    ],
    ["another user's key", (a) => [...make(a), '--user', 'bob'], 'the key is of another scope'],
    ['a record that commits to nothing', (a) => make({ ...a, seq: '0' }), 'record 0 commits to no value'],
  ])('writes nothing for %s', async (_label, args, detail) => {
    const a = await scenario()
    const { status, out, err } = await a.run(args(a))
    expect({ status, out }).toEqual({ status: 2, out: '' })
    expect(err).toContain(detail)
    expect(err).not.toContain('4242')
  })

  test('opens nothing once the scope is destroyed, while the chain holds', async () => {
    const a = await scenario()
    const { out } = await a.run(make(a))
    ScopeKeys.folder(a.folder).destroy('alice')
    expect(await a.run(make(a))).toMatchObject({
      status: 66,
      out: '',
      err: expect.stringContaining('destroyed'),
    })
    ScopeKeys.folder(a.folder).keyFor('alice')
    expect(await a.run(make(a))).toMatchObject({
      status: 2,
      err: expect.stringContaining('may have been destroyed'),
    })
    expect(await writ(['verify', 'l'], { logs: { l: bytesOf(a.log) } })).toMatchObject({ status: 1 })
    // What was disclosed before stays disclosed.
    expect(await a.run(['audit.jsonl', '--check', 'd'], { d: out })).toMatchObject({ status: 0 })
  })

  test.each<[string, (a: Case) => string[], string]>([
    ['a record', (a) => make({ ...a, seq: '99' }), 'there is no record 99 in audit.jsonl'],
    [
      'a log',
      (a) => ['no.jsonl', ...make(a).slice(1)],
      'cannot read the log: no.jsonl: there is no such file',
    ],
    ['a value', (a) => make(a, '@no.json'), 'cannot read no.json: there is no such file'],
    [
      'a disclosure',
      () => ['audit.jsonl', '--check', 'no.json'],
      'cannot read no.json: there is no such file',
    ],
    ['a folder', (a) => make({ ...a, folder: join(a.folder, 'no') }), 'there is no such file or folder'],
    ['a key', (a) => [...make(a), '--user', 'mallory'], 'holds no key of this user'],
  ])('says that %s is missing', async (_label, args, detail) => {
    const a = await scenario()
    expect(await a.run(args(a))).toMatchObject({ status: 66, out: '', err: expect.stringContaining(detail) })
  })

  test('makes no key and no folder', async () => {
    const a = await scenario()
    const folder = temporaryFolder()
    expect(await a.run(make({ ...a, folder }))).toMatchObject({ status: 66 })
    expect(ScopeKeys.folder(folder).find('alice')).toBeUndefined()
  })

  test('a damaged key is said to be one', async () => {
    const a = await scenario()
    writeFileSync(join(a.folder, 'folder.key'), '')
    const { status, err } = await a.run(make(a))
    expect({ status, err }).toEqual({ status: 66, err: expect.stringContaining('it holds no key') })
  })

  test.each<[string, string[]]>([
    ['which log?', []],
    ['--seq is missing', ['l', '--pointer=', '--value=1', '--keys', 'k']],
    ['--pointer is missing', ['l', '--seq', '1', '--value=1', '--keys', 'k']],
    ['--keys is missing', ['l', '--seq', '1', '--pointer=', '--value=1']],
    ['--value is missing', ['l', '--seq', '1', '--pointer=', '--keys', 'k']],
    ['--seq is a number from 0 on', ['l', '--seq', '1e3', '--pointer=', '--value=1', '--keys', 'k']],
    [
      '--seq is a number from 0 on',
      ['l', '--seq', '9999999999999999', '--pointer=', '--value=1', '--keys', 'k'],
    ],
    ['--pointer is no JSON pointer', ['l', '--seq', '1', '--pointer', 'card', '--value=1', '--keys', 'k']],
    ['--value is no JSON', ['l', '--seq', '1', '--pointer=', '--value=secret', '--keys', 'k']],
    ['--check and --seq do not go together', ['l', '--check', 'd', '--seq', '1']],
    ['standard input cannot be both', ['-', '--check', '-']],
    ['unknown option "--pointr". Did you mean --pointer?', ['l', '--pointr=']],
  ])('a wrong command line: %s', async (detail, args) => {
    const { status, out, err } = await writ(['reveal', ...args])
    expect({ status, out }).toEqual({ status: 64, out: '' })
    expect(err).toContain(detail)
    expect(err).not.toContain('secret')
  })

  test('the user has to be named where the record names none', async () => {
    const payload = '{"call_id":"a.1","tool":"pay","commitments":{"":null},"commit_scope":"s"}'
    const logs = { l: fileOf(chain([{ payload }])) }
    const args = ['reveal', 'l', '--seq', '0', '--pointer=', '--value=1', '--keys', temporaryFolder()]
    expect(await writ(args, { logs })).toMatchObject({ status: 64, err: expect.stringContaining('--user') })
  })

  test('--help says what it does and how it exits', async () => {
    const { status, out } = await writ(['reveal', '--help'])
    expect(status).toBe(0)
    for (const word of ['--seq', '--pointer', '--value', '--keys', '--user', '--check', '66'])
      expect(out).toContain(word)
    expect((await writ(['--help'])).out).toContain('reveal <log>')
  })
})

describe('writ reveal --check', () => {
  const vector = JSON.parse(readFileSync(new URL('../vectors/commitments.json', import.meta.url), 'utf8'))
  const check = (line: string, disclosure: unknown): Promise<Ran> => {
    const text = typeof disclosure === 'string' ? disclosure : JSON.stringify(disclosure)
    return writ(['reveal', 'log', '--check', 'd'], { logs: { log: bytesOf(line), d: bytesOf(text) } })
  }

  test('opens the vector', async () => {
    expect(await check(vector.record, vector.disclosure)).toMatchObject({ status: 0 })
  })

  test.each<[string, unknown, number]>([
    ['another value', { ...vector.disclosure, value: '4242' }, 2],
    ['another log', { ...vector.disclosure, log_id: '01KDYAK3SE4FT5GV7JX8KY9M0C' }, 2],
    ['another record', { ...vector.disclosure, seq: 4 }, 66],
    ['no JSON', '{"v":1,', 6],
    ['no disclosure', {}, 6],
    ['too much', 'x'.repeat(2_000_000), 66],
  ])('refuses %s', async (_label, disclosure, status) => {
    const checked = await check(vector.record, disclosure)
    expect(checked).toMatchObject({ status, out: '' })
    expect(checked.err).not.toContain('4242')
  })

  test('refuses a record that was changed', async () => {
    const line = vector.record.replace('"tool":"pay"', '"tool":"buy"')
    expect(await check(line, vector.disclosure)).toMatchObject({ status: 6, out: '' })
  })

  test('prints nothing that steers a terminal', async () => {
    const one = vector.commitments.find((found: { pointer: string }) => found.pointer === '/a~1b')
    const { out } = await check(vector.record, {
      ...vector.disclosure,
      pointer: '/a~1b',
      value: one.value,
      key: one.record_key,
    })
    expect(out).toContain('\\u202e')
    expect(out).not.toContain('\u202e')
  })
})
