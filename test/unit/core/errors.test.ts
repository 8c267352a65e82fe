import { expect, describe as group, test, vi } from 'vitest'
import * as writ from 'writ'
import { describe } from '../../../src/core/describe.js'

const usage = Object.freeze({ usd: 1, tokens: 2, wallMs: 3, toolCalls: 4, llmCalls: 5, depth: 6, denials: 7 })
const issues = [{ path: ['a', 0], code: 'invalid_type', message: 'wrong' }]
const cause = new RangeError('cause')

/** Every error of the package: what makes one, its code, its data and what its message says. */
const ERRORS: [writ.WritError, writ.WritErrorCode, Record<string, unknown>, RegExp][] = [
  [
    new writ.BudgetExceeded('usd', 1.5, 1, usage, { cause }),
    'ERR_BUDGET_EXCEEDED',
    { limit: 'usd', used: 1.5, max: 1, usage, cause },
    /usd.* 1\b.* 1\.5\b/,
  ],
  [
    new writ.BudgetReserved('tokens', 10, 4, 6),
    'ERR_BUDGET_RESERVED',
    { limit: 'tokens', asked: 10, left: 4, held: 6 },
    /10 tokens.*4.*6/,
  ],
  [
    new writ.ToolNotPermitted('no', 'pay', 'invalid_input', { issues, cause }),
    'ERR_TOOL_NOT_PERMITTED',
    { tool: 'pay', reason: 'invalid_input', issues, cause },
    /^no$/,
  ],
  [
    new writ.ToolNotPermitted('no', 'pay', 'max_calls'),
    'ERR_TOOL_NOT_PERMITTED',
    { reason: 'max_calls' },
    /^no$/,
  ],
  [new writ.ToolTimeout('pay', 50), 'ERR_TOOL_TIMEOUT', { tool: 'pay', timeoutMs: 50 }, /pay.*50 ms/],
  [
    new writ.ToolOutputInvalid('pay', issues, { cause }),
    'ERR_TOOL_OUTPUT_INVALID',
    { tool: 'pay', issues, cause },
    /pay.*outputSchema/,
  ],
  [new writ.SessionClosed('01J', { cause }), 'ERR_SESSION_CLOSED', { sessionId: '01J', cause }, /01J/],
  [new writ.NoSession(), 'ERR_NO_SESSION', {}, /session/],
  [
    new writ.UsageInvalid('tokens', -1, 'a count', { cause }),
    'ERR_USAGE_INVALID',
    { field: 'tokens', value: -1, cause },
    /tokens.*a count.*-1/,
  ],
  [
    new writ.ScopeKeyUnavailable('/keys', 'it is no folder', { cause }),
    'ERR_SCOPE_KEY_UNAVAILABLE',
    { path: '/keys', cause },
    /^scope keys in \/keys: it is no folder$/,
  ],
  [
    new writ.UnmeteredRequest('POST /images'),
    'ERR_UNMETERED_REQUEST',
    { what: 'POST /images' },
    /POST \/images is not metered/,
  ],
  [new writ.UnpricedModel('m"1'), 'ERR_UNPRICED_MODEL', { model: 'm"1' }, /"m\\"1"/],
  [
    new writ.AuditUnavailable('disk full', { path: '/log', cause }),
    'ERR_AUDIT_UNAVAILABLE',
    { path: '/log', cause },
    /disk full/,
  ],
  [
    new writ.AuditLocked('/log', { holder: 'pid 1', cause }),
    'ERR_AUDIT_LOCKED',
    { path: '/log', holder: 'pid 1', cause },
    /\/log/,
  ],
  [
    new writ.AuditDamaged('/log', 'TAMPERED', 7, 42, 'a hash'),
    'ERR_AUDIT_DAMAGED',
    { path: '/log', verdict: 'TAMPERED', seq: 7, offset: 42 },
    /\/log.*TAMPERED.*7.*42.*a hash/,
  ],
  [new writ.SessionRevoked('01'), 'ERR_SESSION_REVOKED', { sessionId: '01' }, /01.*revoked/],
  [
    new writ.LimitsUnavailable('the store failed', { cause }),
    'ERR_LIMITS_UNAVAILABLE',
    { cause },
    /limits unavailable: the store failed/,
  ],
  [
    new writ.RuntimeUnsupported('AuditSink.file', 'a file system'),
    'ERR_RUNTIME_UNSUPPORTED',
    {},
    /AuditSink\.file.*a file system/,
  ],
]

test.each(ERRORS)('%s: it has its code, its data, and words that say them', (error, code, data, message) => {
  expect(error.code).toBe(code)
  expect(error.name).toBe(error.constructor.name)
  expect(error).toMatchObject(data)
  expect(error.message).toMatch(message)
  expect(error).toBeInstanceOf(Error)
  expect(error).toBeInstanceOf(writ.WritError)
  expect(writ.WritError.isInstance(error)).toBe(true)
  expect(String(error)).toBe(`${error.name}: ${error.message}`)
})

test('every error class that the package exports is among them', () => {
  const exported = Object.values(writ).filter(
    (value) => typeof value === 'function' && value.prototype instanceof writ.WritError,
  )
  expect(new Set(ERRORS.map(([error]) => error.constructor))).toEqual(new Set(exported))
})

test('what was not given is undefined', () => {
  expect(new writ.ToolNotPermitted('no', 'pay', 'max_calls').issues).toBeUndefined()
  expect(new writ.ToolNotPermitted('no', 'pay', 'max_calls').cause).toBeUndefined()
  expect(new writ.AuditUnavailable('x').path).toBeUndefined()
  expect(new writ.AuditLocked('/log').holder).toBeUndefined()
})

test('an error of another copy of the package is recognised, and nothing else is', async () => {
  vi.resetModules()
  const copy = await import('../../../src/core/errors.js')
  const foreign = new copy.NoSession()
  expect(foreign).not.toBeInstanceOf(writ.WritError)
  expect(writ.WritError.isInstance(foreign)).toBe(true)
  for (const value of [undefined, null, 'x', 1, {}, new Error('x'), { code: 'ERR_NO_SESSION' }, () => 1]) {
    expect(writ.WritError.isInstance(value)).toBe(false)
  }
})

group('describe', () => {
  test.each<[unknown, string]>([
    [null, 'null'],
    [undefined, 'undefined'],
    [true, 'true'],
    [Number.NaN, 'NaN'],
    [-1.5, '-1.5'],
    [10n, 'a bigint'],
    ['x'.repeat(64), `"${'x'.repeat(64)}"`],
    ['x'.repeat(65), 'a string of 65 characters'],
    ['a\nb', '"a\\nb"'],
    [[1, 2], 'an array'],
    [{ secret: 1 }, 'an object'],
    [() => 1, 'a function'],
    [Symbol('secret'), 'a symbol'],
  ])('%# is described in a few words', (value, words) => {
    expect(describe(value)).toBe(words)
  })
})
