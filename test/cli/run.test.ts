import { describe, expect, test } from 'vitest'
import { EVENTS } from '../../src/audit/event.js'
import { VERSION } from '../../src/core/version.js'
import { chain, fileOf } from '../support/audit-logs.js'
import { writ } from './test-io.js'

const logs = { log: fileOf(chain([{}])) }

describe('help', () => {
  test.each([[['--help']], [['-h']], [['--help', '--version']]])(
    '%j tells the commands and the exit statuses',
    async (args) => {
      const { status, out, err } = await writ(args)
      expect({ status, err }).toEqual({ status: 0, err: '' })
      for (const word of [
        'verify',
        'show',
        '--version',
        'UNANCHORED',
        'TAMPERED',
        'MALFORMED',
        'CRASH_DAMAGED',
        '64',
        '66',
      ]) {
        expect(out).toContain(word)
      }
    },
  )

  test.each([
    ['verify', ['--json', 'constant memory', '66  the log cannot be read']],
    ['show', ['--session', '--user', '--event', '--since', '--json', ...EVENTS]],
  ])('%s --help tells its options, also when something else is wrong', async (command, words) => {
    const { status, out } = await writ([command, '--help'])
    expect(status).toBe(0)
    for (const word of words) expect(out).toContain(word)
    expect((await writ([command, 'a', 'b', '-h'])).out).toBe(out)
    for (const line of out.split('\n')) expect(line.length).toBeLessThanOrEqual(110)
  })

  test('without a command it goes to standard error, as a mistake', async () => {
    const { status, out, err } = await writ([])
    expect({ status, out }).toEqual({ status: 64, out: '' })
    expect(err).toContain('Usage: writ')
  })

  test('--version', async () => {
    expect(await writ(['--version'])).toMatchObject({ status: 0, out: `writ ${VERSION}\n`, err: '' })
  })
})

describe('a command line that is wrong: exit 64, one line on standard error, nothing on standard output', () => {
  test.each<[args: string[], said: string]>([
    [['verfy', 'log'], 'unknown command "verfy". Did you mean verify? See writ --help.'],
    [['ver', 'log'], 'Did you mean verify?'],
    [['SHOW', 'log'], 'Did you mean show?'],
    [['constructor'], 'unknown command "constructor".'],
    [['frobnicate', 'log'], 'unknown command "frobnicate". See writ --help.'],
    [['x'.repeat(5000)], 'unknown command'],
    [['--verson'], 'unknown option "--verson". Did you mean --version?'],
    [['--help', 'verify'], 'the command goes first'],
    [['verify'], 'which log? Name one file, or - for standard input. See writ verify --help.'],
    [['verify', ''], 'which log?'],
    [['verify', 'log', 'other'], 'one log at a time; "other" is one too many.'],
    [['verify', '--jsn', 'log'], 'unknown option "--jsn". Did you mean --json?'],
    [['verify', '--constructor', 'log'], 'unknown option "--constructor".'],
    [['verify', '--json=yes', 'log'], '--json takes no value.'],
    [['verify', '-x', 'log'], 'unknown option "-x".'],
    [['verify', '--session', 'log'], 'unknown option "--session".'],
    [['show', '--user'], '--user needs a value.'],
    [
      ['show', '--user', '--json', 'log'],
      '--user needs a value. One that begins with - is written --user=-….',
    ],
    [['show', '--user=', 'log'], '--user: a user id is never empty.'],
    [['show', '--usr', 'alice', 'log'], 'Did you mean --user?'],
    [
      ['show', '--event', 'tool_dened', 'log'],
      '--event: "tool_dened" is no event. Did you mean tool_denied?',
    ],
    [['show', '--event', 'qqqqqqqqqqqqqqq', 'log'], 'The events are log_open, log_recovered,'],
    [['show', '--session', 'ABC', 'log'], '--session: "ABC" is no session id'],
    [['show', '--session', 'x'.repeat(27), 'log'], 'is no session id'],
    [['show', '--since', 'yesterday', 'log'], '--since: "yesterday" is no time. Write 2026-11-20'],
    [['show', '--since', '1d', '--since', '2d', 'log'], '--since is given twice.'],
  ])('writ %j', async (args, said) => {
    const { status, out, err } = await writ(args, { logs })
    expect({ status, out }).toEqual({ status: 64, out: '' })
    expect(err).toContain(said)
    expect(err).toMatch(/^writ: .*\n$/)
  })

  test('what the user typed cannot steer the terminal', async () => {
    for (const args of [
      ['\u001b[31m\u009b'],
      ['verify', '--\u202eevil'],
      ['show', '--since', '\u001b]0;x\u0007', 'log'],
    ]) {
      const { status, err } = await writ(args, { logs })
      expect(status).toBe(64)
      expect(err.trimEnd()).not.toMatch(/[\p{Cc}\p{Bidi_Control}]/u)
    }
  })
})

test('-- ends the options', async () => {
  expect(await writ(['verify', '--', '--log'], { logs: { '--log': logs.log } })).toMatchObject({
    status: 1,
    err: '',
  })
})

test('options may stand before and after the log', async () => {
  const before = await writ(['show', '--json', '--user', 'alice', 'log'], { logs })
  expect(await writ(['show', 'log', '--user=alice', '--json'], { logs })).toEqual(before)
})

test.each(['verify', 'show'])(
  '%s: a log that cannot be read is exit 66, by name of what is wrong',
  async (command) => {
    expect(await writ([command, 'missing'], { logs })).toMatchObject({
      status: 66,
      out: '',
      err: 'writ: cannot read the log: missing: there is no such file\n',
      bytes: Buffer.alloc(0),
    })
  },
)
