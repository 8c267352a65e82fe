import { describe, expect, test } from 'vitest'
import {
  parseClock,
  parseIdentity,
  parseSignal,
  parseTask,
  parseUser,
  readEnvironment,
} from '../../../src/contract/options.js'
import { systemClock } from '../../../src/core/clock.js'

describe('an identity', () => {
  test.each([
    'a',
    '0',
    'bot',
    'support-bot/v1',
    'a.b_c-d/1.2.3',
    'x'.repeat(128),
    `${'x'.repeat(64)}/${'y'.repeat(63)}`,
  ])('can be %s', (identity) => {
    expect(parseIdentity(identity)).toBe(identity)
  })

  test.each([
    '',
    'Bot',
    'bot\n',
    'bot/v1\n',
    '\nbot',
    'bot ',
    ' bot',
    '-bot',
    '.bot',
    '_bot',
    '/v1',
    'bot/',
    'bot//v1',
    'bot/v1/x',
    'bot/-v1',
    'bot@1',
    'b\u043et',
    'bot\u200b',
    'bot\0',
    'x'.repeat(129),
    `${'x'.repeat(64)}/${'y'.repeat(64)}`,
  ])('cannot be %j', (identity) => {
    expect(() => parseIdentity(identity)).toThrow(RangeError)
  })

  test.each([undefined, null, 5, {}, ['bot'], Object('bot')])('cannot be %s', (identity) => {
    expect(() => parseIdentity(identity)).toThrow(TypeError)
  })
})

describe('a user id', () => {
  test.each([
    'a',
    'alice',
    'alice@example.com',
    'Ålice 東京 😀',
    ' ',
    'x'.repeat(256),
    'auth0|1234',
    'a\u200bb',
  ])('can be %j', (user) => {
    expect(parseUser(user)).toBe(user)
  })

  test.each([
    '',
    'x'.repeat(257),
    'ali\nce',
    'alice\n',
    '\0',
    '\u001b[31m',
    '\u007f',
    '\u0080',
    '\u009b',
    '\u009f',
    '\t',
    'ali\ud800ce',
    '\udc00',
  ])('cannot be %j', (user) => {
    expect(() => parseUser(user)).toThrow(RangeError)
  })

  test.each([undefined, null, 5, {}, ['alice']])('cannot be %s', (user) => {
    expect(() => parseUser(user)).toThrow(TypeError)
  })
})

describe('a task', () => {
  test.each(['', 'refund order #4521', 'two\nlines', '\ud800', 'x'.repeat(4096)])(
    'can be a text (%#)',
    (task) => {
      expect(parseTask(task)).toBe(task)
    },
  )

  test('cannot be longer than 4,096 characters, nor something else', () => {
    expect(() => parseTask('x'.repeat(4097))).toThrow(RangeError)
    for (const task of [null, 5, {}, ['x']]) expect(() => parseTask(task)).toThrow(TypeError)
  })
})

describe('a clock', () => {
  test('can be anything with the four methods', () => {
    expect(parseClock(systemClock)).toBe(systemClock)
  })

  test.each(['nowMs', 'monotonicMs', 'setTimer', 'clearTimer'])('cannot be without %s', (method) => {
    expect(() => parseClock({ ...systemClock, [method]: undefined })).toThrow(new RegExp(method))
    expect(() => parseClock({ ...systemClock, [method]: 5 })).toThrow(TypeError)
  })

  test.each([null, 5, 'now', Date])('cannot be %s', (clock) => {
    expect(() => parseClock(clock)).toThrow(TypeError)
  })
})

describe('a signal', () => {
  test('can be an AbortSignal, aborted or not', () => {
    for (const signal of [new AbortController().signal, AbortSignal.abort()]) {
      expect(parseSignal('signal', signal)).toBe(signal)
    }
  })

  test.each([null, 5, 'abort', {}, { aborted: false }, { addEventListener: () => 1 }, new AbortController()])(
    'cannot be %s',
    (signal) => {
      expect(() => parseSignal('signal', signal)).toThrow(TypeError)
    },
  )
})

describe('the environment', () => {
  test('says nothing when nothing is set', () => {
    expect(readEnvironment({})).toEqual({})
    expect(readEnvironment({ PATH: '/bin', WRIT_BUDGET_USD: undefined })).toEqual({})
  })

  test('says all of it', () => {
    expect(
      readEnvironment({
        WRIT_AGENT_IDENTITY: 'bot/v1',
        WRIT_AUDIT_FILE: './audit.jsonl',
        WRIT_BUDGET_USD: '1.000000001',
        WRIT_BUDGET_TOKENS: '9007199254740991',
        WRIT_BUDGET_WALL_MS: '0',
        WRIT_BUDGET_TOOL_CALLS: '007',
        WRIT_BUDGET_LLM_CALLS: '1',
        WRIT_BUDGET_DEPTH: '2',
        WRIT_BUDGET_DENIALS: '3',
      }),
    ).toEqual({
      identity: 'bot/v1',
      auditFile: './audit.jsonl',
      budget: {
        usd: 1.000000001,
        tokens: 9007199254740991,
        wallMs: 0,
        toolCalls: 7,
        llmCalls: 1,
        depth: 2,
        denials: 3,
      },
    })
  })
})
