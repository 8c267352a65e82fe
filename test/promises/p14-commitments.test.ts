/**
 * Promise 14, where a tool asks for more than names: the log commits to values under a secret key and holds
 * none of them. What cannot be committed to does not run.
 */
import { describe, expect, test, vi } from 'vitest'
import { Agent, AuditSink, defineTool, type ScopeKey, ScopeKeys } from 'writ'
import * as z from 'zod'
import { commitmentOf, committing, payAgent } from '../support/committing.js'
import { anything, bench, payloadsOf, reasonsOf, recordsOf, withPollution } from '../support/tools.js'

const CARD = '4111111111111111'
const HEX = /^[0-9a-f]{64}$/

describe('a call', () => {
  test('is on record with a commitment for each pointer, and none of the values', async () => {
    const scopeKeys = ScopeKeys.memory()
    const { agent, sink } = payAgent(committing(['/card', '/items/0/sku', '/note', '']), scopeKeys)
    const input = { card: CARD, items: [{ sku: 'a-1' }], amount: 5 }
    await agent.session('alice', (s) => s.callTool('pay', input))
    const [record] = recordsOf(sink, 'tool_call')
    const { call_id, commitments, commit_scope, args } = record?.payload ?? {}
    const callId = String(call_id)
    const { id, key } = scopeKeys.keyFor('alice') as ScopeKey
    expect(args).toEqual([])
    expect(commit_scope).toBe(id)
    expect(commitments).toEqual({
      '/card': commitmentOf(key, callId, '/card', `"${CARD}"`),
      '/items/0/sku': commitmentOf(key, callId, '/items/0/sku', '"a-1"'),
      '/note': null,
      '': commitmentOf(key, callId, '', `{"amount":5,"card":"${CARD}","items":[{"sku":"a-1"}]}`),
    })
    expect(sink.text()).not.toContain(CARD)
    expect(sink.text()).not.toContain('a-1')
  })

  test('that is denied after its input passed the schema is on record in the same way', async () => {
    const { agent, sink } = payAgent(committing(['/card'], { when: () => false, maxCalls: 1 }))
    await agent.session('alice', (s) => s.dispatch({ name: 'pay', input: { card: CARD } }))
    expect(payloadsOf(sink, 'tool_denied')).toMatchObject([
      { reason: 'predicate_false', commitments: { '/card': expect.stringMatching(HEX) } },
    ])
  })

  test.each(['max_calls', 'budget_exceeded'] as const)(
    'that is one too many (%s) is as well',
    async (reason) => {
      const more = reason === 'max_calls' ? { maxCalls: 1 } : {}
      const { agent, sink } = payAgent(committing(['/card'], more))
      const budget = { toolCalls: reason === 'max_calls' ? 9 : 1 }
      const pay = async (s: { dispatch: (request: { name: string; input: unknown }) => unknown }) => {
        await s.dispatch({ name: 'pay', input: { card: CARD } })
        await s.dispatch({ name: 'pay', input: { card: CARD } })
      }
      await agent.session('alice', pay, { budget }).catch(() => undefined)
      const [denied] = payloadsOf(sink, 'tool_denied')
      expect(denied).toMatchObject({ reason, commitments: { '/card': expect.stringMatching(HEX) } })
      expect(denied?.['commitments']).not.toEqual(payloadsOf(sink, 'tool_call')[0]?.['commitments'])
    },
  )

  test('whose input did not pass commits to nothing, and asks for no key', async () => {
    const keyFor = vi.fn()
    const pay = defineTool({
      inputSchema: z.object({ card: z.string() }),
      commit: ['/card'],
      execute: () => 1,
    })
    const { agent, sink } = payAgent(pay as never, { keyFor })
    await agent.session('alice', (s) => s.dispatch({ name: 'pay', input: { card: 1 } }))
    const [denied] = payloadsOf(sink, 'tool_denied')
    expect(denied).toMatchObject({ reason: 'invalid_input' })
    expect(denied).not.toHaveProperty('commitments')
    expect(keyFor).not.toHaveBeenCalled()
  })

  test('that was stopped while it was decided asks for no key', async () => {
    const keyFor = vi.fn()
    const when = () => new Promise<boolean>(() => undefined)
    const { agent, sink } = payAgent(committing(['/card'], { when }), { keyFor })
    const caller = new AbortController()
    await agent.session('alice', async (s) => {
      const call = s.callTool('pay', { card: CARD }, { signal: caller.signal })
      caller.abort()
      await call.catch(() => undefined)
    })
    expect(reasonsOf(sink)).toEqual(['aborted'])
    expect(keyFor).not.toHaveBeenCalled()
  })

  test('commits to what the schema handed on, which is what the tool receives', async () => {
    const scopeKeys = ScopeKeys.memory()
    const inputSchema = z.object({ card: z.string().transform((text) => text.replaceAll(' ', '')) })
    const execute = vi.fn(() => 'paid')
    const pay = defineTool({ inputSchema, commit: ['/card'], execute })
    const { agent, sink } = payAgent(pay as never, scopeKeys)
    await agent.session('alice', (s) => s.callTool('pay', { card: '41 11' }))
    const [{ call_id, commitments } = {}] = payloadsOf(sink, 'tool_call')
    const { key } = scopeKeys.keyFor('alice') as ScopeKey
    expect(commitments).toEqual({ '/card': commitmentOf(key, String(call_id), '/card', '"4111"') })
    expect(execute).toHaveBeenCalledWith({ card: '4111' }, expect.anything())
  })

  test('of a tool without commit looks no key up and has no new member', async () => {
    const keyFor = vi.fn()
    const { agent, sink } = bench(
      { act: defineTool({ inputSchema: anything, execute: () => 1 }) },
      { scopeKeys: { keyFor } },
    )
    await agent.session('alice', (s) => s.callTool('act', {}))
    expect(keyFor).not.toHaveBeenCalled()
    expect(Object.keys(payloadsOf(sink, 'tool_call')[0] ?? {})).toEqual([
      'call_id',
      'tool',
      'args',
      'enforcement',
    ])
  })

  test('keeps its commitments, and not its arguments, when both do not fit into a line', async () => {
    const pointers = Array.from({ length: 32 }, (_, index) => `/${String(index).padEnd(255, '\u202e')}`)
    const redact = () => 'x'.repeat(64_000)
    const { agent, sink } = payAgent(committing(pointers, { redact }))
    await agent.session('u'.repeat(256), (s) => s.callTool('pay', { [pointers[0]?.slice(1) ?? '']: CARD }))
    const [call] = payloadsOf(sink, 'tool_call')
    expect(call?.['args']).toEqual({ $omitted: 'too_large' })
    expect(Object.values(call?.['commitments'] as object)).toEqual([
      expect.stringMatching(HEX),
      ...Array(31).fill(null),
    ])
  })
})

describe('a session', () => {
  test.each(['session', 'sessionSync'] as const)(
    'asks for its key once, at the first call that needs it: %s',
    async (kind) => {
      const memory = ScopeKeys.memory()
      const keyFor = vi.fn((user: string) => memory.keyFor(user))
      const { agent, sink } = payAgent(committing(['/card']), { keyFor })
      await agent.session('bob', () => undefined)
      expect(keyFor).not.toHaveBeenCalled()
      if (kind === 'session') {
        await agent.session('alice', async (s) => {
          await Promise.all([s.callTool('pay', { card: 1 }), s.callTool('pay', { card: 1 })])
        })
      } else {
        agent.sessionSync('alice', (s) => [s.callTool('pay', { card: 1 }), s.callTool('pay', { card: 1 })])
      }
      expect(keyFor.mock.calls).toEqual([['alice']])
      const found = payloadsOf(sink, 'tool_call').map(({ commitments }) => JSON.stringify(commitments))
      expect(new Set(found).size).toBe(2)
    },
  )

  test('has a copy of the key: a store may wipe what it handed out', async () => {
    const key = new Uint8Array(32).fill(7)
    const { agent, sink } = payAgent(committing(['/card']), { keyFor: () => ({ id: 'a', key }) })
    await agent.session('alice', async (s) => {
      await s.callTool('pay', { card: 1 })
      key.fill(0)
      await s.callTool('pay', { card: 1 })
    })
    for (const { call_id, commitments } of payloadsOf(sink, 'tool_call')) {
      const expected = commitmentOf(new Uint8Array(32).fill(7), String(call_id), '/card', '1')
      expect(commitments).toEqual({ '/card': expected })
    }
  })

  test('goes on with the key it has when the scope is destroyed; the next one gets another', async () => {
    const scopeKeys = ScopeKeys.memory()
    const { agent, sink } = payAgent(committing(['/card']), scopeKeys)
    await agent.session('alice', async (s) => {
      await s.callTool('pay', { card: 1 })
      expect(scopeKeys.destroy('alice')).toBe(true)
      await s.callTool('pay', { card: 1 })
    })
    await agent.session('alice', (s) => s.callTool('pay', { card: 1 }))
    const [first, second, third] = payloadsOf(sink, 'tool_call').map(({ commit_scope }) => commit_scope)
    expect(second).toBe(first)
    expect(third).not.toBe(first)
    expect(scopeKeys.destroy('bob')).toBe(false)
  })
})

describe('nothing runs that cannot be committed to', () => {
  const key = new Uint8Array(32).fill(7)
  const KEYS: [string, () => unknown][] = [
    [
      'throws',
      () => {
        throw new RangeError('secret-canary')
      },
    ],
    ['returns undefined', () => undefined],
    ['returns null', () => null],
    ['returns a short key', () => ({ id: 'a', key: key.subarray(1) })],
    ['returns a long key', () => ({ id: 'a', key: new Uint8Array(33).fill(7) })],
    ['returns a key of zeros', () => ({ id: 'a', key: new Uint8Array(32) })],
    ['returns a text for a key', () => ({ id: 'a', key: 'secret-canary'.padEnd(32, 'x') })],
    ['returns a list for a key', () => ({ id: 'a', key: Array(32).fill(7) })],
    ['returns no id', () => ({ key })],
    ['returns an id that is no name', () => ({ id: 'a"b', key })],
    ['returns an empty id', () => ({ id: '', key })],
    ['returns a promise', async () => ({ id: 'a', key })],
    ['returns a promise that rejects', () => Promise.reject(new RangeError('secret-canary'))],
  ]
  test.each(KEYS)('keyFor %s', async (_label, keyFor) => {
    const execute = vi.fn()
    const { agent, sink } = payAgent(committing(['/card'], { execute }), { keyFor } as ScopeKeys)
    const error = await agent
      .session('alice', (s) => s.callTool('pay', { card: CARD }))
      .catch((thrown) => thrown)
    expect(error).toMatchObject({ code: 'ERR_TOOL_NOT_PERMITTED', reason: 'commit_error' })
    expect(
      agent.sessionSync('alice', (s) => s.dispatch({ name: 'pay', input: { card: CARD } })),
    ).toMatchObject({
      ok: false,
      denial: { reason: 'commit_error' },
    })
    expect(execute).not.toHaveBeenCalled()
    const denied = payloadsOf(sink, 'tool_denied')
    expect(denied).toMatchObject(
      Array(2).fill({ reason: 'commit_error', commitments: { $omitted: 'commit_error' } }),
    )
    for (const payload of denied) expect(payload).not.toHaveProperty('commit_scope')
    expect(sink.text()).not.toContain('canary')
    expect(sink.text()).not.toContain(CARD)
  })

  test('a denial for another reason keeps its reason', async () => {
    const { agent, sink } = payAgent(committing(['/card'], { when: () => false }), {
      keyFor: () => undefined,
    })
    await agent.session('alice', (s) => s.dispatch({ name: 'pay', input: {} }))
    expect(payloadsOf(sink, 'tool_denied')).toMatchObject([
      { reason: 'predicate_false', commitments: { $omitted: 'commit_error' } },
    ])
  })

  test.each<[string, unknown]>([
    ['a bigint', 1n],
    ['half a surrogate pair', '\ud800'],
    ['undefined in an array', [undefined]],
  ])('%s has no canonical JSON', async (_label, card) => {
    const execute = vi.fn()
    const { agent, sink } = payAgent(committing(['/card'], { execute }))
    await agent.session('alice', (s) => s.dispatch({ name: 'pay', input: { card } }))
    expect(reasonsOf(sink)).toEqual(['commit_error'])
    expect(execute).not.toHaveBeenCalled()
  })

  test('a failed look-up is tried again at the next call, and counts as a denial, not as a call', async () => {
    const memory = ScopeKeys.memory()
    let asked = 0
    const keyFor = (user: string) => (++asked === 1 ? undefined : memory.keyFor(user))
    const { agent } = payAgent(committing(['/card']), { keyFor })
    await agent.session('alice', async (s) => {
      await s.dispatch({ name: 'pay', input: { card: 1 } })
      expect(s.usage()).toMatchObject({ toolCalls: 0, denials: 1 })
      await s.callTool('pay', { card: 1 })
      expect(s.usage()).toMatchObject({ toolCalls: 1, denials: 1 })
    })
  })

  test('a key store that ends the session stops the call', async () => {
    const execute = vi.fn()
    const caller = new AbortController()
    const memory = ScopeKeys.memory()
    const keyFor = (user: string) => {
      caller.abort(new RangeError('gone'))
      return memory.keyFor(user)
    }
    const { agent, sink } = payAgent(committing(['/card'], { execute }), { keyFor })
    const end = agent.session('alice', (s) => s.callTool('pay', { card: 1 }), { signal: caller.signal })
    await expect(end).rejects.toThrow('gone')
    expect(execute).not.toHaveBeenCalled()
    expect(payloadsOf(sink, 'tool_call')).toEqual([])
  })
})

describe('construction', () => {
  const options = { identity: 'a', budget: { toolCalls: 1 } }

  test('a tool with commit needs scopeKeys', async () => {
    const audit = AuditSink.memory()
    expect(() => new Agent({ ...options, audit, tools: { pay: committing(['/card']) } })).toThrow(
      new TypeError('scopeKeys: missing, and tools.pay has commit; see ScopeKeys'),
    )
    expect(audit.records).toEqual([])
    await withPollution({ scopeKeys: ScopeKeys.memory(), commit: ['/card'] }, () => {
      expect(
        () => new Agent({ ...options, audit: AuditSink.memory(), tools: { pay: committing(['/card']) } }),
      ).toThrow(TypeError)
      new Agent({
        ...options,
        audit: AuditSink.memory(),
        tools: { act: defineTool({ inputSchema: anything, execute: () => 1 }) },
      })
    })
  })

  test.each([null, {}, 'keys', { keyFor: 'alice' }])('scopeKeys may not be %j', (scopeKeys) => {
    expect(() => new Agent({ ...options, audit: AuditSink.memory(), scopeKeys: scopeKeys as never })).toThrow(
      TypeError,
    )
  })

  test.each<[string, unknown, new (message: string) => Error]>([
    ['a text', '/card', TypeError],
    ['no list', { 0: '/card' }, TypeError],
    ['nothing', [], RangeError],
    ['a number in it', ['/card', 1], TypeError],
    ['no pointer in it', ['card'], RangeError],
    ['a pointer twice', ['/card', '/card'], RangeError],
    ['33 pointers', Array.from({ length: 33 }, (_, index) => `/${index}`), RangeError],
  ])('commit may not be %s', (_label, commit, type) => {
    expect(() => committing(commit as string[])).toThrow(type)
    expect(() => committing(commit as string[])).toThrow('defineTool.commit')
  })

  test('commit is copied and frozen', () => {
    const commit = ['/card', '']
    const { commit: held } = committing(commit)
    commit.push('/b')
    expect(held).toEqual(['/card', ''])
    expect(Object.isFrozen(held)).toBe(true)
  })
})
