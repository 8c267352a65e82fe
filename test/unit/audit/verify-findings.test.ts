import { describe, expect, test } from 'vitest'
import { type Finding, verifyLog } from 'writ/verify'
import { chain, fileOf, type LineParts, piecesOf } from '../../support/audit-logs.js'
import { keyOf, noteOver, sessionMembers } from '../../support/signed-logs.js'

const A = '01M7XRNGAM00EE0G1W2MXJS3GA'
const B = '01M7XRNGAM00EE0G1W2MXJS3GB'
const ts = '2026-01-01T00:00:00.000Z'

const opened: LineParts = { event: 'log_open', payload: '{"writer":"writ"}', ts }
const closed: LineParts = { event: 'log_close', payload: '{"records":1}', ts }
const inSession = (id: string, event: string, payload = '{}', user = 'alice'): LineParts => ({
  event,
  payload,
  session: sessionMembers(id, user),
  budget: ',"budget":{"usd":0}',
  ts,
})
const started = (id: string): LineParts => inSession(id, 'session_start', '{"depth":0}')
const ended = (id: string): LineParts => inSession(id, 'session_end', '{"outcome":"completed"}')
const call = (id: string, n: number, user?: string): LineParts =>
  inSession(id, 'tool_call', `{"call_id":"${id}.${n}","tool":"act","args":["event"]}`, user)
const result = (id: string, n: number, user?: string): LineParts =>
  inSession(id, 'tool_result', `{"call_id":"${id}.${n}","ok":true}`, user)
const denied = (id: string, n: number): LineParts =>
  inSession(id, 'tool_denied', `{"call_id":"${id}.${n}","tool":"act","reason":"aborted"}`)

async function findingsOf(parts: readonly LineParts[], pieces = 65_536): Promise<readonly Finding[]> {
  const report = await verifyLog(piecesOf(fileOf(chain(parts)), pieces))
  expect(report).toMatchObject({ verdict: 'UNANCHORED', size: parts.length })
  return report.findings
}

const found = async (parts: readonly LineParts[]): Promise<Record<string, unknown>> =>
  Object.fromEntries((await findingsOf(parts)).map(({ kind, detail: _, ...rest }) => [kind, rest]))

test('a log that was closed, with sessions that ended and calls that have results: nothing', async () => {
  const whole = [opened, started(A), call(A, 1), result(A, 1), call(A, 2), denied(A, 2), ended(A), closed]
  for (const pieces of [1, 7, 333, 65_536]) {
    expect(await findingsOf([...whole, ...whole], pieces)).toEqual([])
  }
})

describe('calls and sessions', () => {
  test('are open while the log is', async () => {
    expect(await found([opened, started(A), call(A, 1), call(A, 2), result(A, 1)])).toEqual({
      log_open: { count: 1, seq: 0 },
      sessions_open: { count: 1, seq: 1, ids: [A] },
      calls_open: { count: 1, seq: 3, ids: [`${A}.2`] },
    })
  })

  test.each<[name: string, end: LineParts[], further: Record<string, unknown>]>([
    ['a crash and a new writer', [opened, closed], { writers_lost: { count: 1, seq: 6 } }],
    ['a close', [closed], {}],
  ])('are in doubt after %s', async (_, end, further) => {
    const parts = [opened, started(A), call(A, 1), call(A, 2), result(A, 2), started(B), ...end]
    expect(await found(parts)).toEqual({
      calls_in_doubt: { count: 1, seq: 2, ids: [`${A}.1`] },
      sessions_unended: { count: 2, seq: 1, ids: [A, B] },
      ...further,
    })
  })

  test('are not in doubt in the next file of the same writer', async () => {
    // That `log_open.previous` is of its own place is what tells it from another writer.
    const parts = [opened, started(A), call(A, 1)]
    const hash = (chain(parts)[2] ?? '').slice(-66, -2)
    const payload = JSON.stringify({ writer: 'writ', previous: { file: 'a', size: 3, hash } })
    const next = { ...opened, payload }
    expect(await found([...parts, next, result(A, 1), ended(A), closed])).toEqual({})
    expect(
      await found([...parts, { ...next, payload: payload.replace(':3,', ':2,') }, closed]),
    ).toMatchObject({
      writers_lost: { count: 1 },
      calls_in_doubt: { count: 1 },
    })
  })

  test('of users whose names hold quotes, commas and members', async () => {
    for (const name of ['"', '\\', '","event":"log_close","x":"', 'a","principal":"b', '東京 😀', '\u2028']) {
      const user = JSON.stringify(name).slice(1, -1)
      expect(
        await found([opened, started(A), call(A, 1, user), result(A, 1, user), ended(A), closed]),
      ).toEqual({})
      expect(await found([opened, call(A, 1, user), closed])).toMatchObject({ calls_in_doubt: { count: 1 } })
    }
  })

  test('an event that is only in a payload, or in a record of another shape, is not taken for one', async () => {
    const inner = `{"x":{"a":1,"event":"log_open","payload":{"call_id":"${A}.9"}},"event":"tool_call"}`
    expect(
      await found([opened, inSession(A, 'charge', inner), { event: 'later', payload: inner, ts }, closed]),
    ).toEqual({})
    // Another writer's members between those that are known.
    const odd = { ...call(A, 1), session: `"x":"\\",\\"event\\":\\"","session_id":"${A}",` }
    expect(await found([opened, odd, closed])).toMatchObject({
      calls_in_doubt: { count: 1, ids: [`${A}.1`] },
    })
  })

  test('of a session whose members change their lengths', async () => {
    for (const [before, after] of [
      ['alice', 'bo'],
      ['bo', 'alice'],
      ['', 'a'],
    ] as const) {
      const parts = [
        opened,
        call(A, 1, before),
        result(A, 1, after),
        call(A, 2, before),
        denied(A, 2),
        closed,
      ]
      expect(await found(parts)).toEqual({})
    }
  })

  test('a payload that has an event where another session has its own is not taken for one', async () => {
    const inner = `{"x":1,"event":"tool_call","payload":{"call_id":"${A}.9","tool":"act"}}`
    for (let length = 0; length < 120; length++) {
      const other = call(A, 1, 'a'.repeat(length))
      const ownResult = result(A, 1, 'a'.repeat(length))
      const odd = inSession(B, 'charge', inner, 'b')
      expect(await found([opened, other, ownResult, odd, odd, other, odd, ownResult, closed])).toEqual({})
    }
  })

  test('are told apart whatever their ids are made of', async () => {
    const withId = (event: string, id: string): LineParts => inSession(A, event, `{"call_id":"${id}"}`)
    for (const length of [1, 2, 3, 4, 5, 31, 62, 63, 64, 65, 80]) {
      const id = 'x'.repeat(length)
      for (const end of ['y', 'yy', 'yyyyy', '\\"', 'y\\"y', '\\\\']) {
        const longer = id + end
        const both = [withId('tool_call', longer), withId('tool_call', id)]
        expect(await found([opened, ...both, withId('tool_result', longer), closed])).toMatchObject({
          calls_in_doubt: { count: 1, seq: 2, ids: [id] },
        })
        expect(await found([opened, ...both, withId('tool_result', id), closed])).toMatchObject({
          calls_in_doubt: { count: 1, seq: 1, ids: [longer] },
        })
        const other = withId('tool_result', `z${longer.slice(1)}`)
        expect(await found([opened, withId('tool_call', longer), other, closed])).toMatchObject({
          calls_in_doubt: { count: 1, ids: [longer] },
        })
        const all = [...both, withId('tool_result', id), withId('tool_denied', longer)]
        expect(await found([opened, ...all, closed])).toEqual({})
      }
    }
  })

  test('are followed up to a bound, which is said', async () => {
    const many = Array.from({ length: 10_050 }, (_, n) => call(A, n))
    const findings = await found([opened, ...many, closed])
    expect(findings).toMatchObject({
      calls_in_doubt: { count: 10_000, seq: 1 },
      not_followed: { count: 50 },
    })
    expect((findings['calls_in_doubt'] as { ids: string[] }).ids).toHaveLength(100)
    const open = await found([opened, ...many.slice(0, 150)])
    expect(open).toMatchObject({ calls_open: { count: 150, seq: 1 } })
    expect((open['calls_open'] as { ids: string[] }).ids).toEqual(
      Array.from({ length: 100 }, (_, n) => `${A}.${n}`),
    )
  })
})

test('recoveries, with how much was set aside', async () => {
  const recovered = { event: 'log_recovered', payload: '{"offset":9,"bytes":120,"sha256":"x"}', ts }
  const findings = await findingsOf([recovered, opened, closed, recovered, opened, closed])
  expect(findings).toMatchObject([{ kind: 'recovered', count: 2, seq: 0 }])
  expect(findings[0]?.detail).toContain('240 bytes')
})

describe('records that other sinks lost', () => {
  const dropped = (sink: unknown, count: unknown, event = 'sink_dropped'): LineParts => ({
    event,
    payload: JSON.stringify({ sink, count }),
    ts,
  })

  test('are counted by sink', async () => {
    const parts = [dropped('webhook', 3), dropped('stdout', 1), dropped('webhook', 4)]
    expect(await findingsOf(parts)).toMatchObject([
      { kind: 'records_dropped', count: 7, seq: 0, detail: 'records were lost by the sink webhook' },
      { kind: 'records_dropped', count: 1, seq: 1, detail: 'records were lost by the sink stdout' },
    ])
  })

  test.each([-1, 0, 1.5, 2 ** 53, '3', null, [3]])('are none where the number is %j', async (count) => {
    expect(await findingsOf([dropped('x', count)])).toEqual([])
  })

  test('are of a sink without a name where that is none, or too long', async () => {
    const names = ['x'.repeat(200), 'x'.repeat(201), 7, null]
    expect(await findingsOf(names.map((name) => dropped(name, 1)))).toMatchObject([
      { count: 1, seq: 0, detail: `records were lost by the sink ${'x'.repeat(200)}` },
      { count: 3, seq: 1, detail: 'records were lost by the sink ?' },
    ])
  })

  test('are told apart for a hundred sinks', async () => {
    const many = Array.from({ length: 150 }, (_, n) => dropped(`sink ${n}`, 1))
    expect(await findingsOf([...many, dropped('sink 99', 1), dropped('sink 100', 1)])).toHaveLength(100)
  })

  test('are said by records of the log alone', async () => {
    const inside = { ...dropped('x', 1), session: sessionMembers(A) }
    expect(await findingsOf([inside, dropped('x', 1, 'sink_dropped_'), dropped('x', 1, 'sinking')])).toEqual(
      [],
    )
  })
})

test('every finding says in words what was found', async () => {
  const many = Array.from({ length: 10_001 }, (_, n) => call(A, n))
  const said = async (parts: readonly LineParts[]) =>
    Object.fromEntries((await findingsOf(parts)).map(({ kind, detail }) => [kind, detail]))
  expect(await said([opened, started(A), call(A, 1)])).toEqual({
    log_open: 'writer has not closed the log',
    sessions_open: 'sessions have no end yet',
    calls_open: 'calls have no result yet',
  })
  expect(await said([opened, started(A), ...many, opened, closed])).toEqual({
    calls_in_doubt: 'calls were let run and have no result, though their writer has ended',
    sessions_unended: 'sessions have no end, though their writer has ended',
    writers_lost: 'writers ended without closing the log',
    not_followed: 'calls or sessions more were open at once than are followed',
  })
})

test('what is set aside is added up where it is a number', async () => {
  const recovered = (bytes: unknown) => ({ event: 'log_recovered', payload: JSON.stringify({ bytes }), ts })
  const [finding] = await findingsOf([recovered(120), recovered('7'), recovered(null), recovered(5)])
  expect(finding).toMatchObject({ count: 4, detail: 'times crash damage was set aside, 125 bytes in all' })
})

test('a clock that goes back, even by a millisecond', async () => {
  const at = (time: string) => ({ event: 'charge', ts: time })
  const times = [
    '2026-01-01T00:00:00.001Z',
    '2026-01-01T00:00:00.000Z',
    '2026-01-01T00:00:00.000Z',
    '2025-12-31T23:59:59.999Z',
    '2027-01-01T00:00:00.000Z',
  ]
  expect(await found(times.map(at))).toEqual({ clock_back: { count: 2, seq: 1 } })
  expect(await found([...times].sort().map(at))).toEqual({})
  const [finding] = await findingsOf(times.map(at))
  expect(finding?.detail).toBe('records are older than the one before')
})

test('a log that says it is signed, and no checkpoint beside it', async () => {
  const key = keyOf().verifierKey
  const signed = {
    ...opened,
    payload: JSON.stringify({ writer: 'writ', origin: key.name, key: String(key) }),
  }
  const lines = chain([signed, closed])
  const missing = await verifyLog(fileOf(lines), { keys: [key] })
  expect(missing.findings).toMatchObject([{ kind: 'checkpoint_missing' }])
  expect(missing.verdict).toBe('UNANCHORED')
  expect((await verifyLog(fileOf(lines), { keys: [key], checkpoints: [noteOver(lines)] })).findings).toEqual(
    [],
  )
})

test.each([
  ['a text', 'audit.example/writ+0123abcd+AX', true],
  ['as long as can be', 'k'.repeat(1024), true],
  ['longer', 'k'.repeat(1025), false],
  ['no text', 7, false],
])('the key of a log that says it is signed: %s', async (_, key, isSigned) => {
  const parts = [{ ...opened, payload: JSON.stringify({ writer: 'writ', key }) }, closed]
  const { findings } = await verifyLog(fileOf(chain(parts)), { keys: [keyOf().verifierKey] })
  expect(findings.map(({ kind }) => kind)).toEqual(isSigned ? ['checkpoint_missing'] : [])
})

test('only what holds is looked at', async () => {
  const lines = chain([opened, call(A, 1), closed])
  const cut = fileOf(lines).subarray(0, -5)
  expect((await verifyLog(cut)).findings.map(({ kind }) => kind)).toEqual(['log_open', 'calls_open'])
})

test('nothing in it makes the verifier throw: payloads of another form', async () => {
  const payloads = [
    '[]',
    '"x"',
    '1',
    'null',
    '{',
    '{"call_id":1}',
    '{"call_id":"',
    '{"segments":{}}',
    '{"previous":[]}',
    `{"x":${'['.repeat(30_000)}`,
  ]
  for (const event of [
    'log_open',
    'log_close',
    'log_recovered',
    'log_pruned',
    'log_',
    'sink_dropped',
    'session_start',
    'session_end',
    'tool_call',
    'tool_result',
    'tool_denied',
    't',
    '',
  ]) {
    for (const payload of payloads) {
      for (const session of ['', sessionMembers(A), '"session_id":"x",']) {
        const report = await verifyLog(fileOf(chain([{ event, payload, session }, {}])))
        expect(report).toMatchObject({ verdict: 'UNANCHORED', size: 2 })
      }
    }
  }
})
