import { describe, expect, test } from 'vitest'
import { type ScopeKey, ScopeKeys } from 'writ'
import { type Disclosure, disclose, formatDisclosure, parseDisclosure, verifyDisclosure } from 'writ/verify'
import { SEAL_LENGTH } from '../../../src/audit/record.js'
import { canonicalJson } from '../../../src/core/canonical-json.js'
import { commitmentTo, recordKey } from '../../../src/core/commitment.js'
import { sha256Hex } from '../../../src/core/digest.js'
import { bytesOf, chain, rewritten } from '../../support/audit-logs.js'
import { commitmentOf, committing, payAgent } from '../../support/committing.js'
import vector from '../../vectors/commitments.json' with { type: 'json' }

const SCOPE: ScopeKey = { id: vector.scope_id, key: Uint8Array.from(Buffer.from(vector.scope_key, 'hex')) }
const given = vector.disclosure as Disclosure

const refusal = (reason: string, detail: string) => ({
  ok: false,
  refusal: { reason, detail: expect.stringContaining(detail) },
})

describe('the vector', () => {
  test.each(vector.commitments)('of $pointer', ({ pointer, value, canonical, record_key, commitment }) => {
    expect(canonicalJson(value)).toBe(canonical)
    const key = recordKey(SCOPE.key, vector.call_id, pointer)
    expect(Buffer.from(key).toString('hex')).toBe(record_key)
    expect(commitmentTo(key, value)).toBe(commitment)
    expect(commitmentOf(SCOPE.key, vector.call_id, pointer, canonical)).toBe(commitment)
    const disclosed = disclose(vector.record, pointer, value, SCOPE)
    expect(disclosed).toMatchObject({ ok: true, value: { pointer, value, key: record_key } })
    expect(verifyDisclosure(vector.record, (disclosed as { value: Disclosure }).value)).toMatchObject({
      ok: true,
    })
  })

  test.each<[string, string | Uint8Array]>([
    ['a text', vector.record],
    ['a text with its LF', `${vector.record}\n`],
    ['bytes', bytesOf(vector.record)],
    ['bytes with their LF', bytesOf(`${vector.record}\n`)],
  ])('opens against %s', (_label, line) => {
    expect(verifyDisclosure(line, given)).toEqual({
      ok: true,
      value: {
        logId: given.log_id,
        seq: 3,
        callId: vector.call_id,
        tool: 'pay',
        pointer: '/card',
        value: '4111111111111111',
      },
    })
  })
})

describe('verifyDisclosure', () => {
  test.each<[string, Partial<Record<keyof Disclosure, unknown>>, string]>([
    ['another log', { log_id: '01KDYAK3SE4FT5GV7JX8KY9M0C' }, 'of another log'],
    ['another record', { seq: 4 }, 'of record 4, not of record 3'],
    ['a pointer without a commitment', { pointer: '/cvc' }, 'commits to nothing at that pointer'],
    ['a pointer that every object has', { pointer: '/toString' }, 'commits to nothing at that pointer'],
    ['a value that was not there', { pointer: '/absent', value: null }, 'had no value at that pointer'],
    ['another value', { value: '4111111111111112' }, 'do not open'],
    ['a value that only looks alike', { value: 4111111111111111 }, 'do not open'],
    ['another pointer', { pointer: '/amount' }, 'do not open'],
    ['another key', { key: 'a'.repeat(64) }, 'do not open'],
  ])('refuses %s', (_label, change, detail) => {
    expect(verifyDisclosure(vector.record, { ...given, ...change } as Disclosure)).toEqual(
      refusal('not_opened', detail),
    )
  })

  test.each<[string, unknown, string]>([
    ['no object', null, 'it is no object'],
    ['a list', [given], 'it is no object'],
    ['another version', { ...given, v: 2 }, 'its v is not 1'],
    ['a log id that is none', { ...given, log_id: 1 }, 'its log_id is none'],
    ['a log id without end', { ...given, log_id: 'x'.repeat(65) }, 'its log_id is none'],
    ['a negative seq', { ...given, seq: -1 }, 'its seq is none'],
    ['half a seq', { ...given, seq: 0.5 }, 'its seq is none'],
    ['a seq that is a text', { ...given, seq: '3' }, 'its seq is none'],
    ['no pointer', { ...given, pointer: 'card' }, 'its pointer is no JSON pointer'],
    ['no value', { ...given, value: undefined }, 'it has no value'],
    ['a value that is no data', { ...given, value: new Date(0) }, 'its value is no plain JSON data'],
    ['a value without canonical JSON', { ...given, value: '\ud800' }, 'its value has no canonical JSON'],
    ['a short key', { ...given, key: given.key.slice(2) }, 'its key is not 32 bytes'],
    ['a long key', { ...given, key: `${given.key}00` }, 'its key is not 32 bytes'],
    ['a key in capitals', { ...given, key: given.key.toUpperCase() }, 'its key is not 32 bytes'],
    ['a member of its own', { ...given, note: '' }, 'a member that no disclosure has'],
  ])('refuses what is no disclosure: %s', (_label, disclosure, detail) => {
    expect(verifyDisclosure(vector.record, disclosure as Disclosure)).toEqual(refusal('malformed', detail))
  })

  test.each<[string, string | Uint8Array]>([
    ['nothing', ''],
    ['a text', 'hello'],
    ['two lines', `${vector.record}\n${vector.record}\n`],
    ['a changed line', vector.record.replace('"tool":"pay"', '"tool":"buy"')],
    ['a line without an end', vector.record.slice(0, -1)],
    ['a line that is too long', 'x'.repeat(70_000)],
    ['a line that is no UTF-8', rewrittenBytes(vector.record, 0xff)],
  ])('refuses what is no sound record: %s', (_label, line) => {
    expect(verifyDisclosure(line, given)).toEqual(refusal('malformed', 'record'))
  })

  test.each<[string, string]>([
    ['no commitments', '{"call_id":"a.1","tool":"pay","commit_scope":"s"}'],
    [
      'commitments that could not be made',
      '{"call_id":"a.1","tool":"pay","commitments":{"$omitted":"commit_error"}}',
    ],
    ['a list', '{"call_id":"a.1","tool":"pay","commit_scope":"s","commitments":[]}'],
    ['no call', '{"tool":"pay","commit_scope":"s","commitments":{}}'],
  ])('refuses a record with %s', (_label, payload) => {
    const [line = ''] = chain([{ payload }])
    expect(verifyDisclosure(line, given)).toEqual(refusal('not_opened', 'record 0 commits to no value'))
  })

  test('refuses a sound record that is longer than a record can be', () => {
    const [line = ''] = chain([{ payload: `{"text":"${'x'.repeat(66_000)}"}` }])
    expect(verifyDisclosure(line, given)).toEqual(refusal('malformed', 'the line is too long'))
  })

  test('refuses a record whose payload is none', () => {
    const [line = ''] = chain([{ payload: '[]' }])
    expect(verifyDisclosure(line, given)).toEqual(refusal('malformed', 'no JSON object with a payload'))
  })

  test('a commitment that was taken to another record does not open there', () => {
    const [line = ''] = rewritten([vector.record.replace(/"call_id":"[^"]*"/, '"call_id":"a.1"')])
    expect(disclose(line, '/card', given.value, SCOPE)).toEqual(refusal('not_opened', 'do not open'))
  })
})

describe('disclose', () => {
  test.each<[string, string, unknown, ScopeKey, string]>([
    ['a wrong value', '/card', '4242', SCOPE, 'do not open'],
    ['a wrong pointer', '/cvc', '4242', SCOPE, 'commits to nothing'],
    ['the key of another scope', '/card', given.value, { ...SCOPE, id: 'other' }, 'of another scope'],
    [
      'another key by the same id',
      '/card',
      given.value,
      { ...SCOPE, key: new Uint8Array(32).fill(1) },
      'do not open',
    ],
  ])('makes nothing of %s', (_label, pointer, value, scope, detail) => {
    expect(disclose(vector.record, pointer, value as never, scope)).toEqual(refusal('not_opened', detail))
  })

  test('makes nothing of what is no record, no pointer or no data', () => {
    expect(disclose('', '/card', given.value, SCOPE)).toEqual(refusal('malformed', 'record'))
    expect(disclose(vector.record, 'card', given.value, SCOPE)).toEqual(refusal('malformed', 'JSON pointer'))
    expect(disclose(vector.record, '/card', (() => 1) as never, SCOPE)).toEqual(refusal('malformed', 'plain'))
    expect(() => disclose(vector.record, '/card', given.value, { id: 'a', key: new Uint8Array(31) })).toThrow(
      TypeError,
    )
  })
})

describe('the text of a disclosure', () => {
  test('is read as it was written', () => {
    const text = formatDisclosure(given)
    expect(JSON.parse(text)).toEqual(given)
    expect(parseDisclosure(`${text}\n`)).toEqual({ ok: true, value: given })
    expect(parseDisclosure(bytesOf(JSON.stringify(given, null, 2)))).toEqual({ ok: true, value: given })
  })

  test.each<[string, string | Uint8Array]>([
    ['nothing', ''],
    ['half of one', formatDisclosure(given).slice(0, 40)],
    ['bytes that are no UTF-8', Uint8Array.of(0xff)],
    ['two', `${formatDisclosure(given)}${formatDisclosure(given)}`],
    ['too much', ' '.repeat(2_000_000)],
    ['JSON nested without end', '['.repeat(500_000)],
  ])('that holds %s is refused', (_label, text) => {
    expect(parseDisclosure(text)).toEqual(refusal('malformed', 'not a disclosure'))
  })

  test('carries the deepest input there can be', async () => {
    const scopeKeys = ScopeKeys.memory()
    const { agent, sink } = payAgent(committing(['']), scopeKeys)
    const deepest = JSON.parse(`${'['.repeat(63)}{"card":1}${']'.repeat(63)}`)
    await agent.session('alice', (s) => s.callTool('pay', deepest))
    const line =
      sink
        .text()
        .split('\n')
        .find((text) => text.includes('"tool_call"')) ?? ''
    const made = disclose(line, '', deepest, scopeKeys.keyFor('alice') as ScopeKey)
    if (!made.ok) throw new TypeError(made.refusal.detail)
    const read = parseDisclosure(formatDisclosure(made.value))
    if (!read.ok) throw new TypeError(read.refusal.detail)
    expect(verifyDisclosure(line, read.value)).toMatchObject({ ok: true, value: { value: deepest } })
  })
})

/** A sound record with a byte in it that no text has. */
function rewrittenBytes(line: string, byte: number): Uint8Array {
  const body = Buffer.from(line.slice(0, -SEAL_LENGTH))
  body[body.indexOf('bot/v1')] = byte
  return Buffer.concat([body, Buffer.from(`,"hash":"${sha256Hex(body)}"}`)])
}

test.each<[unknown, string]>([
  [undefined, 'scope: expected a scope key { id, key }, got undefined'],
  [null, 'scope: expected a scope key { id, key }, got null'],
  ['text', 'scope: expected a scope key { id, key }, got'],
  [(() => ({ id: 'a' })) as unknown, 'scope: expected a scope key { id, key }, got'],
  [Promise.resolve(SCOPE), 'scope: expected a scope key, got a promise; it must be synchronous'],
  [{ id: 'a b', key: SCOPE.key }, 'scope.id: expected 1 to 64 of A-Z a-z 0-9 . _ : -'],
  [{ id: 'a'.repeat(65), key: SCOPE.key }, 'scope.id: expected 1 to 64'],
  [{ id: 7, key: SCOPE.key }, 'scope.id: expected 1 to 64'],
  [{ id: 'a', key: 'x'.repeat(32) }, 'scope.key: expected 32 bytes'],
  [{ id: 'a', key: new Uint8Array(33) }, 'scope.key: expected 32 bytes'],
  [{ id: 'a', key: new Uint8Array(32) }, 'scope.key: nothing but zeros is no key'],
])('a scope that is none is said: %s', (scope, said) => {
  expect(() => disclose(vector.record, '/card', given.value, scope as never)).toThrow(
    expect.objectContaining({ name: 'TypeError', message: expect.stringContaining(said) }),
  )
})

test.each([null, {}, { keyFor: 'x' }, 'text'])('scope keys that are none are said: %j', (keys) => {
  expect(() => payAgent(committing(['/card']), keys as never)).toThrow(
    expect.objectContaining({
      name: 'TypeError',
      message: 'scopeKeys: expected ScopeKeys, and keyFor is no function',
    }),
  )
})
