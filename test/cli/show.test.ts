import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { describe, expect, test } from 'vitest'
import { Agent, AuditSink, defineTool } from 'writ'
import * as z from 'zod'
import { chain, fileOf, rewritten } from '../support/audit-logs.js'
import { type World, writ } from './test-io.js'

const vector = readFileSync(join(import.meta.dirname, '../vectors/writ-log.jsonl'))
const vectorLines = vector.toString('utf8').split('\n').slice(0, -1)

const show = (log: Uint8Array, args: readonly string[] = [], world: World = {}) =>
  writ(['show', 'log', ...args], { ...world, logs: { log } })

/** What a line may hold that a reader must not be exposed to. */
const UNSAFE = /[\p{Cc}\p{Bidi_Control}\p{Zl}\p{Zp}\u00ad\u200b-\u200f\u2060-\u2064\ufeff]/u

describe('the timeline', () => {
  test('says when, in which session, who, what happened, and what it has cost so far; the last line is the verdict', async () => {
    const { status, out, err } = await show(vector)
    expect({ status, err }).toEqual({ status: 1, err: '' })
    expect(out).toMatchInlineSnapshot(`
      "2026-01-02T03:04:05.678Z  -                 log opened       by writ 0.1.0, process 4242
      2026-01-02T03:04:05.678Z  KY9M0C  alice     session started  task: refund order #4521 — \\"Grüße\\", 東京 😀, \\u009b31m \\u202e � end; limits: $0.05, 10000 tokens, 60000 wall_ms, 3 tool_calls, 1 depth, 5 denials; tools: refund, lookup
      2026-01-02T03:04:05.678Z  KY9M0C  alice     model call       claude-sonnet-4-5, 1200 in, 300 out, $0.012345678  [$0.012345678 1500 tok 1 llm]
      2026-01-02T03:04:06.678Z  KY9M0C  alice     tool call        #1 refund {"orderId":4521}  [$0.012345678 1500 tok 1 calls 1 llm]
      2026-01-02T03:04:06.690Z  KY9M0C  alice     tool result      #1 ok after 12 ms, effect occurred
      2026-01-02T03:04:06.690Z  KY9M0C  alice     tool denied      #2 transfer(): not_registered  [$0.012345678 1500 tok 1 calls 1 llm 1 denied]
      2026-01-02T03:04:06.690Z  KY9M0C  alice     tool denied      #3 refund {"orderId":-1}: predicate_false  [$0.012345678 1500 tok 1 calls 1 llm 2 denied]
      2026-01-02T03:04:06.690Z  KY9M0C  alice     tool denied      #4 lookup(orderId) and 1 withheld: invalid_input (orderId: invalid_type)  [$0.012345678 1500 tok 1 calls 1 llm 3 denied]
      2026-01-02T03:04:06.690Z  KY9M0C  alice     tool call        #5 lookup(orderId)  [$0.012345678 1500 tok 2 calls 1 llm 3 denied]
      2026-01-02T03:04:06.690Z  KY9M0C  alice     tool result      #5 failed with RangeError E_NOT_FOUND after 0 ms, effect none
      2026-01-02T03:04:06.690Z  KY9M0C  alice     charge           $0.002, 40 tokens  [$0.014345678 1540 tok 2 calls 1 llm 3 denied]
      2026-01-02T03:04:06.690Z  -                 records lost     webhook:alerts.example lost 3 since 2026-01-02T03:04:06.690Z
      2026-01-02T03:04:06.690Z  1CQ2ES  alice     session started  > task: nested; nested in KY9M0C; limits: $0.05, 10000 tokens, 60000 wall_ms, 3 tool_calls, 1 depth, 5 denials; tools: refund, lookup
      2026-01-02T03:04:06.690Z  1CQ2ES  alice     session ended    > completed; 2 records
      2026-01-02T03:04:06.690Z  KY9M0C  alice     session ended    completed; 11 records  [$0.014345678 1540 tok 2 calls 1 llm 1 deep 3 denied]
      2026-01-02T03:04:06.690Z  1CQ2ET  bob       session started  limits: $0.05, 10000 tokens, 60000 wall_ms, 3 tool_calls, 1 depth, 5 denials; tools: refund, lookup
      2026-01-02T03:04:06.690Z  1CQ2ET  bob       model call       claude-sonnet-4-5, 1200 in, 300 out, $0.04  [$0.04 1500 tok 1 llm]
      2026-01-02T03:04:06.690Z  1CQ2ET  bob       model call       claude-sonnet-4-5, 1200 in, 300 out, $0.02  [$0.06 3000 tok 2 llm]
      2026-01-02T03:04:06.690Z  1CQ2ET  bob       budget exceeded  usd: $0.06 of $0.05  [$0.06 3000 tok 2 llm]
      2026-01-02T03:04:06.690Z  1CQ2ET  bob       session ended    killed: BudgetExceeded ERR_BUDGET_EXCEEDED; 5 records  [$0.06 3000 tok 2 llm]
      2026-01-02T03:04:06.690Z  1CQ2EV  carol     session started  limits: $0.05, 10000 tokens, 60000 wall_ms, 3 tool_calls, 1 depth, 5 denials; tools: refund, lookup
      2026-01-02T03:04:06.690Z  1CQ2EV  carol     session ended    cancelled: AbortError; 2 records
      2026-01-02T03:04:06.690Z  1CQ2EW  dora      session started  limits: $0.05, 10000 tokens, 60000 wall_ms, 3 tool_calls, 1 depth, 5 denials; tools: refund, lookup
      2026-01-02T03:04:06.690Z  1CQ2EW  dora      session ended    failed: TypeError; 2 records
      2026-01-02T03:04:06.690Z  -                 log closed       after 25 records
      UNANCHORED: consistent from the first record to the last, but nothing outside the log vouches for it [25 records]
      "
    `)
  })

  test('is aligned: the columns of all rows begin at the same places', async () => {
    const { out } = await show(vector)
    const rows = out.trimEnd().split('\n').slice(0, -1)
    for (const row of rows) expect(row).toMatch(/^\d{4}-\d\d-\d\dT[\d:.]+Z {2}.{6} {2}.{8} {2}\S.{14} {2}/)
  })

  test('is cut to the width of a terminal, and to no other', async () => {
    for (const columns of [40, 80, 120]) {
      const { out } = await show(vector, [], { isTty: true, columns, mayColor: false })
      const rows = out.trimEnd().split('\n').slice(0, -1)
      expect(rows).toHaveLength(25)
      for (const row of rows) expect(row.length).toBeLessThanOrEqual(columns)
      expect(out).toContain('…')
    }
    const { out } = await show(vector, [], { columns: 40 })
    expect(out).not.toContain('…')
    expect(out).toContain('東京 😀')
  })

  test('has colours on a terminal alone, and only where they are wanted', async () => {
    expect((await show(vector)).out).not.toContain('\u001b')
    expect((await show(vector, [], { isTty: true, mayColor: false })).out).not.toContain('\u001b')
    const { out } = await show(vector, [], { isTty: true, columns: 300 })
    expect(out).toContain('\u001b[31mtool denied')
    // Every colour that is switched on is switched off in its row.
    for (const row of out.split('\n')) {
      const switches = row.split('\u001b[').length - 1
      expect(row.split('\u001b[0m').length - 1).toBe(switches / 2)
    }
  })

  test('arrives while the log is still being read', async () => {
    const { writes } = await countWrites(vector, 1000)
    expect(writes).toBeGreaterThan(5)
  })
})

test('a delegation, a call that was not granted, a loop and a rolling limit are told in words', async () => {
  const audit = AuditSink.memory()
  const page = z.object({ page: z.number() })
  const read = defineTool({ inputSchema: page, execute: () => 'text' })
  const few = defineTool({ inputSchema: page, when: (input) => input.page < 3, execute: () => 'text' })
  const boss = new Agent({ identity: 'boss/v1', budget: { toolCalls: 9 }, tools: { read: few }, audit })
  const clerk = new Agent({
    identity: 'clerk/v1',
    budget: { toolCalls: 9 },
    tools: { read },
    audit,
    loops: { repeat: { times: 1 } },
    limits: { perUser: { toolCalls: 1, windowMs: 60_000 } },
  })
  const end = boss.session('alice', (s) =>
    s.delegate(clerk, {}, async (child) => {
      await child.dispatch({ name: 'read', input: { page: 7 } })
      await child.dispatch({ name: 'read', input: { page: 1 } })
      await child.dispatch({ name: 'read', input: { page: 1 } })
      await child.dispatch({ name: 'read', input: { page: 2 } })
    }),
  )
  await end.catch(() => undefined)
  const { out } = await show(fileOf([...audit.lines]))
  expect(out).toMatch(/session started {2}> nested in \w{6}; delegated by boss\/v1; /)
  expect(out).toMatch(/tool denied {6}> #1 read/)
  expect(out).toContain('read(page): not_granted by boss/v1 (predicate_false)')
  expect(out).toContain('read(page): loop_detected (repeat)')
  expect(out).toContain('tool_calls: 1 of 1, per user in 60000 ms')
})

describe('filters', () => {
  const rowsOf = async (...args: string[]): Promise<string[]> => {
    const { out } = await show(vector, args, { nowMs: Date.UTC(2026, 0, 2, 3, 4, 10) })
    return out.trimEnd().split('\n').slice(0, -1)
  }

  test.each<[args: string[], count: number]>([
    [[], 25],
    [['--user', 'alice'], 13],
    [['--user', 'alice', '--user', 'bob'], 18],
    [['--user', 'ali'], 0],
    [['--event', 'tool_denied'], 3],
    [['--event', 'tool_denied', '--event', 'tool_call'], 5],
    [['--event', 'tool_denied', '--user', 'bob'], 0],
    [['--event', 'log_close'], 1],
    [['--session', '01KDYAK3SE4FT5GV7JX8KY9M0C'], 11],
    [['--session', 'KY9M0C'], 11],
    [['--session', 'ky9m0c', '--event', 'session_end'], 1],
    [['--session', 'KY9M0C', '--session', 'P1CQ2ET'], 16],
    [['--since', '2026-01-02T03:04:06.678Z'], 22],
    [['--since', '2026-01-02T04:04:06.678+01:00'], 22],
    [['--since', '2026-01-02 03:04:06'], 22],
    [['--since', '4s'], 22],
    [['--since', '5s'], 25],
    [['--since', '1m'], 25],
    [['--since', '2026-01-03'], 0],
    [['--since', '4s', '--user', 'alice', '--event', 'session_end'], 2],
  ])('%j', async (args, count) => {
    expect(await rowsOf(...args)).toHaveLength(count)
  })

  test('do not change the verdict, which is on the whole log', async () => {
    const broken = fileOf(vectorLines.map((line, at) => (at === 20 ? line.replace('carol', 'alice') : line)))
    const { status, out } = await show(broken, ['--event', 'log_open'])
    expect(status).toBe(2)
    expect(out.trimEnd().split('\n').at(-1)).toMatch(/^TAMPERED: .*record 20.*1 records match/)
  })

  test('keep a record whose time nobody can read: it may be the one', async () => {
    const lines = rewritten(chain([{}, { ts: 'noon' }]))
    const { out } = await show(fileOf(lines), ['--since', '2030-01-01'])
    expect(out).toContain('noon')
    expect(out.split('\n')).toHaveLength(3)
  })
})

describe('--json', () => {
  test('prints the matching lines as they are, and the verdict elsewhere', async () => {
    const { status, bytes, err } = await show(vector, ['--json'])
    expect(status).toBe(1)
    expect(Buffer.from(bytes).equals(vector)).toBe(true)
    expect(err).toBe(
      'UNANCHORED: consistent from the first record to the last, but nothing outside the log vouches for it\n',
    )
    const some = await show(vector, ['--json', '--event', 'tool_denied'])
    expect(some.out).toBe(
      vectorLines
        .filter((line) => line.includes('"event":"tool_denied"'))
        .map((line) => `${line}\n`)
        .join(''),
    )
  })

  test('keeps bytes that are no text, duplicate keys and odd numbers', async () => {
    const odd = Buffer.from('{"v":1,"a":1,"a":2,"n":1.0E+2,"s":"\xff\xfe"}\n', 'latin1')
    const { bytes, status } = await show(odd, ['--json'])
    expect(Buffer.from(bytes).equals(odd)).toBe(true)
    expect(status).toBe(6)
  })

  test('does not print what is no JSON, and says how much that was', async () => {
    const { out, err, status } = await show(Buffer.concat([vector, Buffer.from('hello\n{"a"\n[1]\n')]), [
      '--json',
    ])
    expect(status).toBe(2)
    expect(out.split('\n')).toHaveLength(26)
    expect(err).toContain(
      `3 lines are no JSON object and not shown; the first is line 25, at byte ${vector.length}\n`,
    )
    expect(err).toContain('TAMPERED: ')
  })

  test('on a terminal, escapes what could steer it', async () => {
    const { out } = await show(Buffer.from('{"s":"\u009b31m\u202e\\n東京"}\t\n'), ['--json'], { isTty: true })
    expect(out).toBe('{"s":"\\u009b31m\\u202e\\n東京"}\\t\n')
  })
})

describe('whatever a log holds, nothing of it steers the terminal and nothing crashes', () => {
  const HOSTILE = '\u009b31m\u001b[2J\u202egnp\u200b\u2028\u0000\n\r\t\u007f\ufeff\u{e0041}<end>'

  /** A record that says `HOSTILE` wherever it can. */
  const hostileLine = (event: string): string => {
    const text = JSON.stringify(HOSTILE)
    const names = [
      'task',
      'tool',
      'reason',
      'call_id',
      'model',
      'sink',
      'since',
      'outcome',
      'limit',
      'used',
      'max',
      'source',
      'error',
      'effect',
      'elapsed_ms',
      'writer',
      'version',
      'host',
      'pid',
      'offset',
      'bytes',
      'records',
      'count',
      'metering',
      'priced_by',
      'parent_session',
      'delegated_by',
      'scope',
      'window_ms',
      'loop',
      'usd',
      'tokens',
      'cost_usd',
      'input_tokens',
      'in_flight',
      'refused',
      'args_withheld',
    ]
    const members = names.map((name) => `"${name}":${text}`)
    const nested = `"args":{${text}:[${text}]},"issues":[{"path":[${text}],"code":${text}},${text}],"tools":[{"name":${text}},${text}],"limits":{${text}:${text}},"refused_by":{"agent_identity":${text},"reason":${text}}`
    const session = `"session_id":${text},"invoking_user":${text},"principal":${text},`
    const budget = `,"budget":{${text}:${text},"usd":${text}}`
    return chain([
      { event, payload: `{${members.join(',')},${nested}}`, session, budget, ts: 'PLACE' },
    ])[0]!.replace('"ts":"PLACE"', `"ts":${text}`)
  }

  const events = [
    'log_open',
    'log_recovered',
    'log_pruned',
    'anchor_failed',
    'log_close',
    'session_start',
    'llm_call',
    'charge',
    'tool_call',
    'tool_result',
    'tool_denied',
    'budget_exceeded',
    'credential_issued',
    'session_end',
    'sink_dropped',
    'never_heard_of',
  ]

  test.each(events)('%s', async (event) => {
    // What is inside is as hostile as JSON allows: raw where JSON takes it, escaped where it must be.
    const { out } = await show(fileOf([hostileLine(event)]))
    expect(out.trimEnd().split('\n').length).toBeLessThanOrEqual(3)
    expect(out).toContain(
      '\\u009b31m\\u001b[2J\\u202egnp\\u200b\\u2028\\u0000\\n\\r\\t\\u007f\\ufeff\\udb40\\udc41<end>',
    )
    expect(out.replaceAll('\n', '')).not.toMatch(UNSAFE)
    const tty = await show(fileOf([hostileLine(event)]), [], { isTty: true, mayColor: false })
    expect(tty.out.replaceAll('\n', '')).not.toMatch(UNSAFE)
  })

  test('an event with such a name', async () => {
    const line = chain([{}])[0]!.replace('"session_start"', JSON.stringify(HOSTILE))
    const { out } = await show(fileOf([line]))
    expect(out.replaceAll('\n', '')).not.toMatch(UNSAFE)
    expect(out).toContain('<end>')
  })

  const shapes = [
    'null',
    '[]',
    '"text"',
    '42',
    'true',
    '{}',
    '[[]]',
    '1e999',
    '-0',
    `${'['.repeat(500)}${']'.repeat(500)}`,
  ]

  test.each(events)('%s with members of the wrong type', async (event) => {
    for (const shape of shapes) {
      const names = ['payload', 'budget', 'session_id', 'invoking_user', 'ts', 'log_id']
      const whole = `{${names.map((name) => `"${name}":${shape}`).join(',')},"event":"${event}"}`
      const inner = `{"event":"${event}","payload":{${['tools', 'limits', 'args', 'issues', 'error', 'reason', 'usd', 'cost_usd', 'call_id', 'tokens'].map((name) => `"${name}":${shape}`).join(',')}},"budget":{"usd":${shape}}}`
      const { status, out } = await show(Buffer.from(`${whole}\n${inner}\n`))
      expect(status).toBe(6)
      expect(out.trimEnd().split('\n')).toHaveLength(4)
    }
  })

  test('members with the names of methods', async () => {
    const line =
      '{"event":"constructor","payload":{"__proto__":1,"toString":2,"hasOwnProperty":3},"budget":{"constructor":1}}'
    const { out, status } = await show(Buffer.from(`${line}\n{"event":"toString"}\n{"event":"__proto__"}\n`))
    expect(status).toBe(6)
    expect(out).toContain('"hasOwnProperty":3')
  })

  test.each<[name: string, log: Uint8Array, said: string]>([
    [
      'a line that is no JSON',
      Buffer.from('hello \u001b[31m\n'),
      'line 0, byte 0: not a JSON object: hello \\u001b[31m',
    ],
    ['a line that is no object', Buffer.from('[1,2]\n'), 'line 0, byte 0: not a JSON object: [1,2]'],
    [
      'a line after others',
      Buffer.concat([vector, Buffer.from('oops\n')]),
      `line 25, byte ${vector.length}: not a JSON object: oops`,
    ],
    ['a cut line', vector.subarray(0, -30), 'line 24, byte '],
    ['a blank line', Buffer.from('\n'), 'line 0, byte 0: not a JSON object:'],
    [
      'bytes that are no text',
      Buffer.from([0xff, 0xfe, 0x00, 0x9b, 0x0a]),
      'line 0, byte 0: not a JSON object: ',
    ],
    [
      'a line without an end',
      Buffer.alloc(300_000, 0x78),
      'line 0, byte 0: too long, not a JSON object: xxx',
    ],
    ['nothing', new Uint8Array(0), 'the log is empty'],
  ])('%s is shown as such, with its place', async (_, log, said) => {
    for (const pieceBytes of [1, 777, 1_000_000]) {
      if (pieceBytes === 1 && log.length > 50_000) continue
      const { out, status } = await show(log, [], { pieceBytes })
      expect(out).toContain(said)
      expect(out.replaceAll('\n', '')).not.toMatch(UNSAFE)
      expect(status).not.toBe(1)
    }
  })
})

describe('a log that does not hold is not shown as if it did', () => {
  test('a line stands before the first record that fails, and the verdict says so again', async () => {
    const broken = vectorLines.map((line, at) => (at === 5 ? line.replace('transfer', 'transmit') : line))
    for (const pieceBytes of [10, 4096, 1_000_000]) {
      const { status, out } = await show(fileOf(broken), [], { pieceBytes })
      const rows = out.trimEnd().split('\n')
      expect(status).toBe(2)
      expect(rows).toHaveLength(27)
      expect(rows[5]).toMatch(
        /^-- from here on the chain does not hold: record 5, byte \d+: its hash does not match/,
      )
      expect(rows[6]).toContain('transmit')
      expect(rows.at(-1)).toMatch(/^TAMPERED: .* \(record 5, byte \d+: its hash does not match its bytes\)/)
    }
  })

  test('and where filters hide the record that fails, it stands all the same', async () => {
    const broken = vectorLines.map((line, at) => (at === 5 ? line.replace('transfer', 'transmit') : line))
    const { out } = await show(fileOf(broken), ['--event', 'log_open'])
    expect(out.split('\n')[1]).toContain('-- from here on')
  })

  test('and a line that nobody can read is shown whatever the filter: it may be the one', async () => {
    const { out } = await show(Buffer.concat([vector, Buffer.from('oops\n')]), ['--user', 'nobody'])
    const rows = out.trimEnd().split('\n')
    expect(rows).toHaveLength(3)
    expect(rows[1]).toContain(`line 25, byte ${vector.length}: not a JSON object: oops`)
  })

  test('also where the fault is a cut last line', async () => {
    const { out, status } = await show(vector.subarray(0, -1))
    expect(status).toBe(7)
    const rows = out.trimEnd().split('\n')
    expect(rows.at(-3)).toContain('-- from here on')
    expect(rows.at(-2)).toContain('line 24, byte')
    expect(rows.at(-1)).toMatch(/^CRASH_DAMAGED/)
  })
})

async function countWrites(log: Uint8Array, pieceBytes: number): Promise<{ writes: number }> {
  const { run } = await import('../../src/cli/run.js')
  let writes = 0
  const output = {
    isTty: false,
    columns: 80,
    write: async () => {
      writes += 1
    },
  }
  await run(['show', 'log'], {
    stdout: output,
    stderr: output,
    mayColor: false,
    nowMs: () => 0,
    monotonicMs: () => 0,
    readEnd: () => undefined,
    listFolder: () => undefined,
    makeFile: () => undefined,
    env: {},
    openInput: () => ({
      [Symbol.asyncIterator]: () => [][Symbol.iterator]() as never,
      close: () => undefined,
    }),
    onStop: () => undefined,
    readLog: () => ({
      size: undefined,
      async *[Symbol.asyncIterator]() {
        for (let at = 0; at < log.length; at += pieceBytes) yield log.subarray(at, at + pieceBytes)
      },
    }),
  })
  return { writes }
}
