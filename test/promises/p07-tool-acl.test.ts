/**
 * Promise 7: nothing runs that is not in the registry. The order is: open, registered, valid, predicate,
 * budget, durable intent, run; every exit other than "run" is a denial by name with its record.
 */
import { describe, expect, test, vi } from 'vitest'
import {
  Agent,
  AuditSink,
  type Denial,
  type DispatchResult,
  defineTool,
  type StandardSchema,
  ToolNotPermitted,
  type ToolSet,
  UsageInvalid,
} from 'writ'
import { fakeClock } from 'writ/testing'
import * as z from 'zod'
import {
  anything,
  bench,
  eventsOf,
  GatedSink,
  gate,
  killOf,
  type MemorySink,
  payloadsOf,
  raise,
  reasonsOf,
  recordsOf,
  schemaOf,
  thenable,
  turn,
} from '../support/tools.js'

const amount = z.object({ amount: z.number().int() })

/** A proxy that fails the test's expectation when anything looks at it. */
function untouchable(): { readonly input: object; readonly touched: ReturnType<typeof vi.fn> } {
  const touched = vi.fn(() => {
    throw new TypeError('looked at')
  })
  const traps = Object.fromEntries(
    ['get', 'has', 'ownKeys', 'getPrototypeOf', 'getOwnPropertyDescriptor'].map((trap) => [trap, touched]),
  )
  return { input: new Proxy({}, traps), touched }
}

describe('the order of the checks', () => {
  test('is: schema, predicate, budget, intent, flush, run, result', async () => {
    const steps: string[] = []
    const sink = new GatedSink(steps)
    const pay = defineTool({
      inputSchema: schemaOf((value) => {
        steps.push('schema')
        return { value }
      }),
      when: (_input, { session }) => {
        steps.push(`predicate ${session.usage().toolCalls}`)
        return true
      },
      execute: (_input, { session }) => {
        steps.push(`run ${session.usage().toolCalls}`)
        return 'paid'
      },
    })
    const agent = new Agent({ identity: 'a', budget: { toolCalls: 1 }, tools: { pay }, audit: sink })
    await agent.session('alice', async (s) => {
      steps.length = 0
      expect(await s.callTool('pay', {})).toBe('paid')
      expect(steps).toEqual([
        'schema',
        'predicate 0',
        'append tool_call',
        'flush',
        'flushed',
        'run 1',
        'append tool_result',
      ])
    })
  })

  test('begins with the session: one that has ended looks at nothing', async () => {
    const { agent, sink } = bench({ pay: defineTool({ inputSchema: amount, execute: () => 'paid' }) })
    const s = agent.open('alice')
    await s.close()
    const before = sink.lines.length
    const { input, touched } = untouchable()
    await expect(s.callTool('pay', input as never)).rejects.toMatchObject({ code: 'ERR_SESSION_CLOSED' })
    await expect(s.dispatch({ name: 'nothing', input })).rejects.toMatchObject({ code: 'ERR_SESSION_CLOSED' })
    await expect(s.authorize('nothing', input)).rejects.toMatchObject({ code: 'ERR_SESSION_CLOSED' })
    expect(touched).not.toHaveBeenCalled()
    expect(sink.lines).toHaveLength(before)
  })

  test('looks for the tool before it looks at the input', async () => {
    const { agent, sink } = bench({})
    const { input, touched } = untouchable()
    await agent.session('alice', async (s) => {
      expect(await s.dispatch({ name: 'pay', input })).toMatchObject({ denial: { reason: 'not_registered' } })
    })
    agent.sessionSync('alice', (s) => {
      expect(s.dispatch({ name: 'pay', input })).toMatchObject({ denial: { reason: 'not_registered' } })
    })
    expect(touched).not.toHaveBeenCalled()
    expect(reasonsOf(sink)).toEqual(['not_registered', 'not_registered'])
  })

  test('asks the predicate only about an input that is valid', async () => {
    const when = vi.fn(() => true)
    const execute = vi.fn(() => 'paid')
    const { agent, sink } = bench({ pay: defineTool({ inputSchema: amount, when, execute }) })
    await agent.session('alice', (s) => s.dispatch({ name: 'pay', input: { amount: 'all' } }))
    expect(when).not.toHaveBeenCalled()
    expect(execute).not.toHaveBeenCalled()
    expect(reasonsOf(sink)).toEqual(['invalid_input'])
  })

  test('asks the predicate before the budget: a denial is a denial, even with no call left', async () => {
    const tools = {
      never: defineTool({ inputSchema: anything, when: () => false, execute: () => 'ran' }),
      once: defineTool({ inputSchema: anything, maxCalls: 0, execute: () => 'ran' }),
    }
    const { agent, sink } = bench(tools, { budget: { toolCalls: 0 } })
    await agent.session('alice', async (s) => {
      expect(await s.dispatch({ name: 'never', input: {} })).toMatchObject({
        denial: { reason: 'predicate_false' },
      })
      expect(await s.dispatch({ name: 'once', input: {} })).toMatchObject({ denial: { reason: 'max_calls' } })
      expect(s.state).toBe('open')
    })
    expect(reasonsOf(sink)).toEqual(['predicate_false', 'max_calls'])
  })

  test.each(['async', 'sync'])(
    'charges before it writes the intent: a call too many leaves no intent (%s)',
    async (kind) => {
      const execute = vi.fn(() => 'ran')
      const { agent, sink } = bench(
        { pay: defineTool({ inputSchema: amount, execute }) },
        { budget: { toolCalls: 0 } },
      )
      const killed =
        kind === 'async'
          ? agent.session('alice', (s) => s.callTool('pay', { amount: 1 }))
          : Promise.resolve().then(() => agent.sessionSync('alice', (s) => s.callTool('pay', { amount: 1 })))
      await expect(killed).rejects.toMatchObject({
        code: 'ERR_BUDGET_EXCEEDED',
        limit: 'toolCalls',
        used: 0,
        max: 0,
      })
      expect(execute).not.toHaveBeenCalled()
      expect(eventsOf(sink)).toEqual(['session_start', 'tool_denied', 'budget_exceeded', 'session_end'])
      expect(payloadsOf(sink, 'tool_denied')).toMatchObject([
        { tool: 'pay', reason: 'budget_exceeded', args: ['amount'] },
      ])
    },
  )

  test('a tool does not start before its intent is flushed', async () => {
    const sink = new GatedSink()
    const execute = vi.fn(() => 'paid')
    const pay = defineTool({ inputSchema: amount, execute })
    const agent = new Agent({ identity: 'a', budget: { toolCalls: 5 }, tools: { pay }, audit: sink })
    await agent.session('alice', async (s) => {
      sink.hold()
      const paying = s.callTool('pay', { amount: 1 })
      await turn()
      expect(sink.events.at(-1)).toBe('tool_call')
      expect(execute).not.toHaveBeenCalled()
      sink.release()
      expect(await paying).toBe('paid')
      expect(execute).toHaveBeenCalledTimes(1)
    })
  })

  test.each(['async', 'sync'])('a tool whose intent cannot be flushed does not run (%s)', async (kind) => {
    const sink = new GatedSink()
    const execute = vi.fn(() => 'paid')
    const pay = defineTool({ inputSchema: amount, execute })
    const agent = new Agent({ identity: 'a', budget: { toolCalls: 5 }, tools: { pay }, audit: sink })
    const failed =
      kind === 'async'
        ? agent.session('alice', async (s) => {
            sink.fail(new RangeError('disk full'))
            await s.callTool('pay', { amount: 1 }).catch(() => 'swallowed')
          })
        : Promise.resolve().then(() =>
            agent.sessionSync('alice', (s) => {
              sink.fail(new RangeError('disk full'))
              try {
                s.callTool('pay', { amount: 1 })
              } catch {
                // Swallowed: the session rejects all the same.
              }
            }),
          )
    await expect(failed).rejects.toMatchObject({ code: 'ERR_AUDIT_UNAVAILABLE' })
    expect(execute).not.toHaveBeenCalled()
  })
})

interface Refused {
  readonly tool?: Record<string, unknown>
  readonly input?: unknown
  readonly reason: string
}

const denyBySchema = (schema: StandardSchema): Refused => ({
  tool: { inputSchema: schema },
  reason: 'schema_error',
})
const answers = (result: unknown): Refused => denyBySchema(schemaOf(() => result))
const predicate = (when: () => unknown, reason = 'predicate_error'): Refused => ({ tool: { when }, reason })

class Inherited {
  get value(): unknown {
    return { amount: 1 }
  }
}

/** Inputs and tools that are refused in both kinds of session. */
const REFUSED: Record<string, Refused> = {
  'an input of the wrong type': { input: { amount: 'all' }, reason: 'invalid_input' },
  'no input': { input: undefined, reason: 'invalid_input' },
  'JSON text that does not parse': { input: '{"amount":1', reason: 'invalid_input' },
  'JSON text with something after it': { input: '{"amount":1} // all', reason: 'invalid_input' },
  'JSON text of the wrong type': { input: '"1"', reason: 'invalid_input' },
  'empty text': { input: '', reason: 'invalid_input' },
  'an input that is no plain data': { input: { amount: () => 1 }, reason: 'invalid_input' },
  'an input that throws when it is read': {
    input: Object.defineProperty({}, 'amount', {
      enumerable: true,
      get: () => {
        throw new RangeError('boom')
      },
    }),
    reason: 'invalid_input',
  },
  'a schema that throws': denyBySchema(
    schemaOf(() => {
      throw new RangeError('boom')
    }),
  ),
  'a schema that throws nothing at all': denyBySchema(schemaOf(() => raise(undefined))),
  'a schema that answers undefined': answers(undefined),
  'a schema that answers null': answers(null),
  'a schema that answers true': answers(true),
  'a schema that answers a number': answers(1),
  'a schema that answers an empty object': answers({}),
  'a schema that answers an array': answers([]),
  'a schema that answers a function': answers(() => ({ value: { amount: 1 } })),
  'a schema whose issues are no list': answers({ issues: 'none' }),
  'a schema whose issues are null, beside a value': answers({ issues: null, value: { amount: 1 } }),
  'a schema with a null among its issues': { ...answers({ issues: [null] }), reason: 'invalid_input' },
  'a schema with a text among its issues': { ...answers({ issues: ['wrong'] }), reason: 'invalid_input' },
  'a schema with a path that is none': answers({ issues: [{ message: 'wrong', path: 5 }] }),
  'a schema with an issue that throws': answers({
    issues: [
      {
        get message(): string {
          throw new RangeError('boom')
        },
      },
    ],
  }),
  'a schema whose answer throws when it is read': answers(
    new Proxy(
      {},
      {
        getOwnPropertyDescriptor: () => {
          throw new RangeError('boom')
        },
      },
    ),
  ),
  'a schema whose value is inherited': answers(new Inherited()),
  'a schema whose value is no plain data': {
    ...answers({ value: { amount: new Date(0) } }),
    reason: 'invalid_input',
  },
  'a schema with an empty list of issues, beside a value': {
    ...answers({ issues: [], value: { amount: 1 } }),
    reason: 'invalid_input',
  },
  'a predicate that says false': predicate(() => false, 'predicate_false'),
  'a predicate that throws': predicate(() => {
    throw new RangeError('boom')
  }),
  'a predicate that throws undefined': predicate(() => raise(undefined)),
  'a predicate that answers 1': predicate(() => 1),
  "a predicate that answers 'yes'": predicate(() => 'yes'),
  "a predicate that answers 'true'": predicate(() => 'true'),
  'a predicate that answers an object': predicate(() => ({})),
  'a predicate that answers { allowed: true }': predicate(() => ({ allowed: true })),
  'a predicate that answers an array': predicate(() => [true]),
  'a predicate that answers a boxed true': predicate(() => Object(true)),
  'a predicate that answers undefined': predicate(() => undefined),
  'a predicate that answers null': predicate(() => null),
  'a predicate that answers 0': predicate(() => 0),
  'a predicate whose answer throws when it is asked for then': predicate(() =>
    Object.defineProperty({}, 'then', {
      get: () => {
        throw new RangeError('boom')
      },
    }),
  ),
  'a predicate whose promise says 1': predicate(() => Promise.resolve(1)),
  'a predicate whose promise rejects': predicate(() => Promise.reject(new RangeError('boom'))),
  'a predicate whose thenable says yes': predicate(() => thenable((resolve) => resolve('yes'))),
  'a predicate whose thenable throws': predicate(() =>
    thenable(() => {
      throw new RangeError('boom')
    }),
  ),
  'a schema that rejects': denyBySchema(schemaOf(() => Promise.reject(new RangeError('boom')))),
  'a schema that promises nonsense': denyBySchema(schemaOf(() => Promise.resolve(7))),
  'a tool that may never be called': { tool: { maxCalls: 0 }, reason: 'max_calls' },
}

/** Refused in a synchronous session alone: there, nothing can be waited for. */
const REFUSED_IN_SYNC: Record<string, Refused> = {
  'a predicate whose promise says true': predicate(() => Promise.resolve(true)),
  'a predicate whose thenable says true': predicate(() => thenable((resolve) => resolve(true))),
  'a schema that promises a value': denyBySchema(schemaOf((value) => Promise.resolve({ value }))),
}

const DISPATCH_ONLY = new Set(Object.keys(REFUSED).filter((label) => /text/.test(label)))

describe('every refusal is a denial by name', () => {
  function refusal({ tool = {}, ...rest }: Refused) {
    const execute = vi.fn(() => 'ran')
    const pay = defineTool({ inputSchema: amount, ...tool, execute } as never) as ToolSet[string]
    const input = 'input' in rest ? rest.input : { amount: 1 }
    return { execute, input, ...bench<ToolSet>({ pay }, { budget: { toolCalls: 5, denials: 5 } }) }
  }

  function expectDenied(sink: MemorySink, reason: string, result: DispatchResult, thrown: unknown): void {
    expect(result).toEqual({
      ok: false,
      denial: expect.objectContaining({
        code: 'ERR_TOOL_NOT_PERMITTED',
        tool: 'pay',
        reason,
        message: expect.stringMatching(/^tool pay was not run: /),
      }),
    })
    if (thrown !== undefined) {
      expect(thrown).toBeInstanceOf(ToolNotPermitted)
      expect(thrown).toMatchObject({ code: 'ERR_TOOL_NOT_PERMITTED', tool: 'pay', reason })
    }
    const denials = recordsOf(sink, 'tool_denied')
    expect(denials).toHaveLength(thrown === undefined ? 1 : 2)
    for (const { payload, session_id } of denials) {
      expect(payload).toMatchObject({ tool: 'pay', reason, enforcement: 'enforced' })
      expect(payload['call_id']).toMatch(new RegExp(`^${session_id}\\.\\d+$`))
    }
    expect(eventsOf(sink)).not.toContain('tool_call')
    expect(recordsOf(sink, 'session_end')).toMatchObject([
      { payload: { outcome: 'completed' }, budget: { tool_calls: 0, denials: denials.length } },
    ])
  }

  test.each(Object.entries(REFUSED))('%s', async (label, refused) => {
    const { agent, sink, input, execute } = refusal(refused)
    let result: DispatchResult | undefined
    let thrown: unknown
    await agent.session('alice', async (s) => {
      result = await s.dispatch({ name: 'pay', input })
      if (!DISPATCH_ONLY.has(label))
        thrown = await s.callTool('pay', input).then(
          () => 'ran',
          (error: unknown) => error,
        )
    })
    expectDenied(sink, refused.reason, result!, thrown)
    expect(execute).not.toHaveBeenCalled()
  })

  test.each(Object.entries({ ...REFUSED, ...REFUSED_IN_SYNC }))(
    '%s, in a synchronous session',
    (label, refused) => {
      const { agent, sink, input, execute } = refusal(refused)
      let result: DispatchResult | undefined
      let thrown: unknown
      agent.sessionSync('alice', (s) => {
        result = s.dispatch({ name: 'pay', input })
        if (DISPATCH_ONLY.has(label)) return
        try {
          thrown = s.callTool('pay', input)
        } catch (error) {
          thrown = error
        }
      })
      expectDenied(sink, refused.reason, result!, thrown)
      expect(execute).not.toHaveBeenCalled()
    },
  )

  test('the error of callTool carries what the schema found, and what a check threw as its cause', async () => {
    const boom = new RangeError('boom')
    const tools = {
      pay: defineTool({ inputSchema: amount, execute: () => 'ran' }),
      torn: defineTool({
        inputSchema: anything,
        when: () => {
          throw boom
        },
        execute: () => 'ran',
      }),
    }
    const { agent } = bench(tools)
    await agent.session('alice', async (s) => {
      const invalid = await s.callTool('pay', { amount: 'x' } as never).catch((error: unknown) => error)
      expect((invalid as ToolNotPermitted).issues).toEqual([
        { path: ['amount'], code: 'invalid_type', message: expect.any(String) },
      ])
      expect(await s.callTool('torn', {}).catch((error: unknown) => error)).toMatchObject({ cause: boom })
    })
  })

  test('a denial is frozen and says nothing of the input', async () => {
    const { agent } = bench({
      pay: defineTool({ inputSchema: amount, when: () => false, execute: () => 'ran' }),
    })
    const result = await agent.session('alice', (s) => s.dispatch({ name: 'pay', input: { amount: 31337 } }))
    const { denial } = result as { denial: Denial }
    expect(Object.isFrozen(denial)).toBe(true)
    expect(JSON.stringify(denial)).not.toContain('31337')
  })

  test('maxCalls counts the calls that ran, in one session', async () => {
    const execute = vi.fn(() => 'ran')
    const when = vi.fn().mockReturnValueOnce(false).mockReturnValue(true)
    const { agent, sink } = bench({ pay: defineTool({ inputSchema: anything, when, maxCalls: 2, execute }) })
    for (const user of ['alice', 'bob']) {
      await agent.session(user, async (s) => {
        for (let call = 0; call < 4; call++) await s.dispatch({ name: 'pay', input: {} })
      })
    }
    expect(execute).toHaveBeenCalledTimes(4)
    expect(reasonsOf(sink)).toEqual(['predicate_false', 'max_calls', 'max_calls', 'max_calls'])
  })

  test.each([
    'p\u0430y', // Cyrillic а
    'pay\u200b',
    '\u202epay',
    '\u202eyap',
    '\uff50\uff41\uff59', // fullwidth
    'pay\n',
    'pay ',
    ' pay',
    'Pay',
    'PAY',
    'pay\0',
    '',
    '__proto__',
    'constructor',
    'toString',
    'hasOwnProperty',
    'pa\u0443', // Cyrillic у
    'pay\u0301',
  ])('a name that only looks like a tool, %j, is not registered', async (name) => {
    const execute = vi.fn(() => 'ran')
    const { agent, sink } = bench<ToolSet>({
      pay: defineTool({ inputSchema: anything, execute }) as ToolSet[string],
    })
    await agent.session('alice', async (s) => {
      expect(await s.dispatch({ name, input: {} })).toMatchObject({
        ok: false,
        denial: { reason: 'not_registered' },
      })
      await expect(s.callTool(name, {})).rejects.toMatchObject({ reason: 'not_registered' })
      expect(await s.authorize(name, {})).toMatchObject({ allowed: false, reason: 'not_registered' })
    })
    agent.sessionSync('alice', (s) => {
      expect(s.dispatch({ name, input: {} })).toMatchObject({
        ok: false,
        denial: { reason: 'not_registered' },
      })
    })
    expect(execute).not.toHaveBeenCalled()
    expect(reasonsOf(sink)).toEqual(['not_registered', 'not_registered', 'not_registered'])
  })

  test('a tool that the session was narrowed away from is not registered in it', async () => {
    const execute = vi.fn(() => 'ran')
    const tools = {
      pay: defineTool({ inputSchema: anything, execute }),
      look: defineTool({ inputSchema: anything, execute: () => 'seen' }),
    }
    const { agent } = bench(tools)
    await agent.session(
      'alice',
      async (s) => {
        expect(await s.callTool('look', {})).toBe('seen')
        expect(await s.dispatch({ name: 'pay', input: {} })).toMatchObject({
          denial: { reason: 'not_registered' },
        })
      },
      { tools: ['look'] },
    )
    expect(execute).not.toHaveBeenCalled()
  })
})

describe('a check that never answers', () => {
  test.each(['predicate', 'schema'])(
    'a %s that never answers is stopped by the deadline, and the tool does not run',
    async (what) => {
      const never = () => new Promise<never>(() => undefined)
      const execute = vi.fn(() => 'ran')
      const slow =
        what === 'predicate'
          ? defineTool({ inputSchema: anything, when: never, execute })
          : defineTool({ inputSchema: schemaOf(never), execute })
      const { agent, sink, clock } = bench({ slow }, { budget: { wallMs: 1000 } })
      const session = agent.session('alice', (s) => s.callTool('slow', {}))
      const rejected = expect(session).rejects.toMatchObject({ code: 'ERR_BUDGET_EXCEEDED', limit: 'wallMs' })
      await clock.advance(999)
      expect(eventsOf(sink)).toEqual(['session_start'])
      await clock.advance(1)
      await rejected
      expect(execute).not.toHaveBeenCalled()
      expect(eventsOf(sink)).toEqual(['session_start', 'budget_exceeded', 'tool_denied', 'session_end'])
      expect(reasonsOf(sink)).toEqual(['aborted'])
    },
  )

  test('an answer that comes after the session was killed is too late', async () => {
    const answer = gate<boolean>()
    const execute = vi.fn(() => 'ran')
    const tools = {
      slow: defineTool({ inputSchema: anything, when: () => answer.promise, execute }),
    }
    const { agent, sink } = bench(tools, { budget: { toolCalls: 5, denials: 0 } })
    const end = await killOf(agent, async (s) => {
      const slow = s.callTool('slow', {}).catch((error: unknown) => error)
      const killed = await s.dispatch({ name: 'rm', input: {} }).catch((error: unknown) => error)
      answer.open(true)
      expect(await slow).toBe(killed)
    })
    expect(end).toMatchObject({ limit: 'denials' })
    expect(execute).not.toHaveBeenCalled()
    expect(eventsOf(sink)).not.toContain('tool_call')
  })

  test('a thenable of the schema cannot answer for the predicate', async () => {
    const asked = gate()
    const execute = vi.fn(() => 'ran')
    let again: (value: unknown) => void = () => undefined
    const inputSchema = schemaOf(() =>
      thenable((resolve) => {
        again = resolve
        resolve({ value: {} })
      }),
    )
    const answer = gate<boolean>()
    const when = (): Promise<boolean> => {
      asked.open()
      return answer.promise
    }
    const { agent, sink } = bench({ pay: defineTool({ inputSchema, when, execute }) })
    await agent.session('alice', async (s) => {
      const paying = s.dispatch({ name: 'pay', input: {} })
      await asked.promise
      again(true)
      await turn()
      answer.open(false)
      expect(await paying).toMatchObject({ denial: { reason: 'predicate_false' } })
    })
    expect(execute).not.toHaveBeenCalled()
    expect(reasonsOf(sink)).toEqual(['predicate_false'])
  })

  test('a thenable that answers twice is believed once', async () => {
    const execute = vi.fn(() => 'ran')
    const twice = thenable<boolean>((resolve) => {
      resolve(false)
      resolve(true)
    })
    const { agent, sink } = bench({
      pay: defineTool({ inputSchema: anything, when: () => twice, execute }),
    })
    await agent.session('alice', (s) => s.dispatch({ name: 'pay', input: {} }))
    expect(execute).not.toHaveBeenCalled()
    expect(reasonsOf(sink)).toEqual(['predicate_false'])
  })
})

describe("the caller's own abort", () => {
  test('before the call: the tool does not run, and the denial is on record', async () => {
    const execute = vi.fn(() => 'ran')
    const when = vi.fn(() => true)
    const { agent, sink } = bench({ pay: defineTool({ inputSchema: anything, when, execute }) })
    await agent.session('alice', async (s) => {
      const signal = AbortSignal.abort('changed my mind')
      await expect(s.callTool('pay', {}, { signal })).rejects.toBe('changed my mind')
      await expect(s.dispatch({ name: 'pay', input: {} }, { signal })).rejects.toBe('changed my mind')
      expect(s.state).toBe('open')
    })
    expect(when).not.toHaveBeenCalled()
    expect(execute).not.toHaveBeenCalled()
    expect(reasonsOf(sink)).toEqual(['aborted', 'aborted'])
  })

  test('during the predicate: the tool does not run, and the denial is on record', async () => {
    const execute = vi.fn(() => 'ran')
    const asked = gate<void>()
    const when = (): Promise<boolean> => {
      asked.open()
      return new Promise(() => undefined)
    }
    const { agent, sink } = bench({ pay: defineTool({ inputSchema: anything, when, execute }) })
    await agent.session('alice', async (s) => {
      const controller = new AbortController()
      const calling = s.dispatch({ name: 'pay', input: {} }, { signal: controller.signal })
      await asked.promise
      controller.abort('changed my mind')
      await expect(calling).rejects.toBe('changed my mind')
      expect(s.state).toBe('open')
    })
    expect(execute).not.toHaveBeenCalled()
    expect(reasonsOf(sink)).toEqual(['aborted'])
  })

  test('during the flush of the intent: the tool does not run', async () => {
    const sink = new GatedSink()
    const execute = vi.fn(() => 'ran')
    const pay = defineTool({ inputSchema: anything, execute })
    const agent = new Agent({ identity: 'a', budget: { toolCalls: 5 }, tools: { pay }, audit: sink })
    await agent.session('alice', async (s) => {
      const controller = new AbortController()
      sink.hold()
      const calling = s.callTool('pay', {}, { signal: controller.signal })
      await turn()
      controller.abort('changed my mind')
      await expect(calling).rejects.toBe('changed my mind')
      sink.release()
      await turn()
    })
    expect(execute).not.toHaveBeenCalled()
    const result = sink.lines.map((line) => JSON.parse(line)).find(({ event }) => event === 'tool_result')
    expect(result.payload).toMatchObject({ ok: false, effect: 'none' })
  })
})

describe('dispatch', () => {
  const tools = {
    fail: defineTool({
      inputSchema: anything,
      execute: () => {
        throw new RangeError('no such order')
      },
    }),
    odd: defineTool({
      inputSchema: anything,
      execute: () => raise('a text'),
    }),
    hostile: defineTool({
      inputSchema: anything,
      execute: () => {
        throw Object.defineProperty(new Error('hidden'), 'message', {
          get: () => {
            throw new RangeError('boom')
          },
        })
      },
    }),
    own: defineTool({
      inputSchema: anything,
      execute: () => {
        throw new UsageInvalid('tokens', -1, 'a count')
      },
    }),
    lie: defineTool({ inputSchema: anything, outputSchema: z.number(), execute: () => 'seven' as never }),
    slow: defineTool({ inputSchema: anything, timeoutMs: 10, execute: () => new Promise(() => undefined) }),
    fine: defineTool({ inputSchema: amount, execute: (input) => input.amount + 1 }),
  }

  test('hands back the output, for an object and for JSON text', async () => {
    const { agent, sink } = bench(tools)
    await agent.session('alice', async (s) => {
      expect(await s.dispatch({ id: 'call_1', name: 'fine', input: { amount: 1 } })).toEqual({
        ok: true,
        output: 2,
      })
      expect(await s.dispatch({ name: 'fine', input: '{"amount":2}' })).toEqual({ ok: true, output: 3 })
    })
    expect(payloadsOf(sink, 'tool_call')).toMatchObject([{ model_call_id: 'call_1' }, { tool: 'fine' }])
  })

  test("hands back a tool's own error as a value, and callTool throws the same error", async () => {
    const { agent, sink } = bench(tools)
    await agent.session('alice', async (s) => {
      const denial = (reason: string, code: string, message: unknown) => ({
        ok: false,
        denial: expect.objectContaining({ reason, code, message }),
      })
      const dispatch = (name: string) => s.dispatch({ name, input: {} })
      expect(await dispatch('fail')).toEqual(denial('tool_error', 'ERR_TOOL_FAILED', 'no such order'))
      expect(await dispatch('odd')).toEqual(denial('tool_error', 'ERR_TOOL_FAILED', 'tool odd failed'))
      expect(await dispatch('hostile')).toEqual(
        denial('tool_error', 'ERR_TOOL_FAILED', 'tool hostile failed'),
      )
      expect(await dispatch('own')).toEqual(denial('tool_error', 'ERR_USAGE_INVALID', expect.any(String)))
      await expect(s.callTool('fail', {})).rejects.toThrow(new RangeError('no such order'))
      await expect(s.callTool('odd', {})).rejects.toBe('a text')
    })
    const results = payloadsOf(sink, 'tool_result')
    expect(results).toHaveLength(6)
    for (const payload of results) expect(payload).toMatchObject({ ok: false, effect: 'unknown' })
  })

  test('an output that the schema of the tool refuses is an error after the effect', async () => {
    const { agent, sink } = bench(tools)
    await agent.session('alice', async (s) => {
      expect(await s.dispatch({ name: 'lie', input: {} })).toMatchObject({
        ok: false,
        denial: { code: 'ERR_TOOL_OUTPUT_INVALID', reason: 'output_invalid', tool: 'lie' },
      })
      await expect(s.callTool('lie', {})).rejects.toMatchObject({
        code: 'ERR_TOOL_OUTPUT_INVALID',
        tool: 'lie',
        issues: [{ path: [], code: 'invalid_type' }],
      })
    })
    agent.sessionSync('alice', (s) => {
      expect(s.dispatch({ name: 'lie', input: {} })).toMatchObject({ denial: { reason: 'output_invalid' } })
    })
    const results = payloadsOf(sink, 'tool_result')
    expect(results).toHaveLength(3)
    for (const payload of results) {
      expect(payload).toMatchObject({
        ok: false,
        effect: 'occurred',
        error: { name: 'ToolOutputInvalid', code: 'ERR_TOOL_OUTPUT_INVALID' },
      })
    }
  })

  test.each([
    ['throws', () => Promise.reject(new RangeError('boom'))],
    ['answers nonsense', () => 7],
    ['has issues that are none', () => ({ issues: [null] })],
  ])('an output schema that %s refuses the output', async (_label, validate) => {
    const odd = defineTool({ inputSchema: anything, outputSchema: schemaOf(validate), execute: () => 'done' })
    const { agent, sink } = bench({ odd })
    await agent.session('alice', async (s) => {
      expect(await s.dispatch({ name: 'odd', input: {} })).toMatchObject({
        denial: { reason: 'output_invalid' },
      })
    })
    expect(payloadsOf(sink, 'tool_result')).toMatchObject([{ ok: false, effect: 'occurred' }])
  })

  test('what the output schema makes of the output is what the caller receives', async () => {
    const outputSchema = z.string().transform((text) => text.length)
    const length = defineTool({ inputSchema: anything, outputSchema, execute: () => 'seven' })
    const { agent } = bench({ length })
    expect(await agent.session('alice', (s) => s.callTool('length', {}))).toBe(5)
  })

  test("hands back a tool's timeout as a value, and the session goes on", async () => {
    const { agent, clock } = bench(tools)
    await agent.session('alice', async (s) => {
      const slow = s.dispatch({ name: 'slow', input: {} })
      await clock.advance(10)
      expect(await slow).toMatchObject({
        ok: false,
        denial: { code: 'ERR_TOOL_TIMEOUT', reason: 'tool_timeout' },
      })
      expect(await s.dispatch({ name: 'fine', input: { amount: 1 } })).toEqual({ ok: true, output: 2 })
    })
  })

  test('throws only what ended the session', async () => {
    const { agent } = bench(tools, { budget: { toolCalls: 1 } })
    const end = await killOf(agent, async (s) => {
      await s.dispatch({ name: 'fine', input: { amount: 1 } })
      const killed = await s.dispatch({ name: 'fine', input: { amount: 1 } }).catch((error: unknown) => error)
      expect(killed).toMatchObject({ code: 'ERR_BUDGET_EXCEEDED' })
      await expect(s.dispatch({ name: 'nothing', input: {} })).rejects.toBe(killed)
      await expect(s.authorize('fine', { amount: 1 })).rejects.toBe(killed)
    })
    expect(end).toMatchObject({ limit: 'toolCalls' })
  })

  test('a request that is none is misuse, not a denial', async () => {
    const { agent, sink } = bench(tools)
    await agent.session('alice', async (s) => {
      await expect(s.dispatch({ name: 5, input: {} } as never)).rejects.toThrow(TypeError)
      await expect(s.dispatch({ name: 'fine', id: 5, input: {} } as never)).rejects.toThrow(TypeError)
      await expect(s.dispatch({ name: 'fine', arguments: {} } as never)).rejects.toThrow(TypeError)
      await expect(s.dispatch({ name: 'fine', input: {} }, { timeoutMs: -1 })).rejects.toThrow(RangeError)
      await expect(s.dispatch({ name: 'fine', input: {} }, { timeout: 1 } as never)).rejects.toThrow(
        TypeError,
      )
    })
    expect(eventsOf(sink)).toEqual(['session_start', 'session_end'])
  })
})

describe('authorize', () => {
  const execute = vi.fn(() => 'ran')
  const tools = {
    pay: defineTool({ inputSchema: amount, when: (input) => input.amount < 10, execute }),
    torn: defineTool({
      inputSchema: anything,
      when: () => {
        throw new RangeError('boom')
      },
      execute,
    }),
  }

  test('decides, and records, charges and runs nothing', async () => {
    const { agent, sink } = bench(tools, { budget: { toolCalls: 1, denials: 5 } })
    await agent.session('alice', async (s) => {
      const before = sink.lines.length
      const usage = s.usage()
      expect(await s.authorize('pay', { amount: 1 })).toEqual({ allowed: true, tool: 'pay' })
      expect(await s.authorize('pay', { amount: 10 })).toMatchObject({
        allowed: false,
        reason: 'predicate_false',
      })
      expect(await s.authorize('pay', {})).toMatchObject({ allowed: false, reason: 'invalid_input' })
      expect(await s.authorize('torn', {})).toMatchObject({ allowed: false, reason: 'predicate_error' })
      expect(await s.authorize('none', {})).toMatchObject({ allowed: false, reason: 'not_registered' })
      expect(Object.isFrozen(await s.authorize('none', {}))).toBe(true)
      expect(Object.isFrozen(await s.authorize('pay', { amount: 1 }))).toBe(true)
      expect(s.usage()).toEqual(usage)
      expect(sink.lines).toHaveLength(before)
    })
    agent.sessionSync('alice', (s) => {
      const before = sink.lines.length
      expect(s.authorize('pay', { amount: 1 })).toEqual({ allowed: true, tool: 'pay' })
      expect(s.authorize('pay', { amount: 10 })).toMatchObject({ allowed: false, reason: 'predicate_false' })
      expect(s.usage()).toMatchObject({ toolCalls: 0, denials: 0 })
      expect(sink.lines).toHaveLength(before)
    })
    expect(execute).not.toHaveBeenCalled()
  })

  test('knows what is used up: the calls of a tool, and those of the session', async () => {
    const once = defineTool({ inputSchema: anything, maxCalls: 1, execute })
    const { agent } = bench({ ...tools, once }, { budget: { toolCalls: 2 } })
    await agent.session('alice', async (s) => {
      expect(await s.authorize('once', {})).toMatchObject({ allowed: true })
      await s.callTool('once', {})
      expect(await s.authorize('once', {})).toMatchObject({ allowed: false, reason: 'max_calls' })
      expect(await s.authorize('pay', { amount: 1 })).toMatchObject({ allowed: true })
      await s.callTool('pay', { amount: 1 })
      expect(await s.authorize('pay', { amount: 1 })).toMatchObject({
        allowed: false,
        reason: 'budget_exceeded',
      })
      expect(s.state).toBe('open')
    })
    execute.mockClear()
  })

  test('is refused when a count kills its session while the predicate thinks', async () => {
    const answer = gate<boolean>()
    const slow = defineTool({ inputSchema: anything, when: () => answer.promise, execute })
    const { agent } = bench({ ...tools, slow }, { budget: { denials: 0 } })
    const end = await killOf(agent, async (s) => {
      const deciding = s.authorize('slow', {}).catch((error: unknown) => error)
      const killed = await s.dispatch({ name: 'rm', input: {} }).catch((error: unknown) => error)
      answer.open(true)
      expect(await deciding).toBe(killed)
    })
    expect(end).toMatchObject({ limit: 'denials' })
  })

  test('is refused when its session dies while the predicate thinks', async () => {
    const never = defineTool({
      inputSchema: anything,
      when: () => new Promise<boolean>(() => undefined),
      execute,
    })
    const { agent, clock } = bench({ never }, { budget: { wallMs: 10 } })
    const deciding: Promise<unknown>[] = []
    const session = agent.session('alice', async (s) => {
      deciding.push(s.authorize('never', {}).catch((error: unknown) => error))
      await new Promise(() => undefined)
    })
    const rejected = expect(session).rejects.toMatchObject({ limit: 'wallMs' })
    await clock.advance(10)
    await rejected
    expect(await deciding[0]).toMatchObject({ limit: 'wallMs' })
  })
})

test('a log on another clock and sink makes no difference to what is refused', async () => {
  const sink = AuditSink.memory()
  const agent = new Agent({ identity: 'a', budget: { denials: 1 }, audit: sink, clock: fakeClock(0) })
  await agent.session('alice', (s) => s.dispatch({ name: 'rm', input: {} }))
  expect(reasonsOf(sink)).toEqual(['not_registered'])
  await agent.close()
})
