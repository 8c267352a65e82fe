import { tool } from 'ai'
import { describe, expect, test } from 'vitest'
import { type ApprovalRequest, defineTool } from 'writ'
import { fromTool, governTools, toTools, uiApproval } from 'writ/ai-sdk'
import * as z from 'zod'
import { bench, rejection, thrown } from '../support/agents.js'
import { type Ai, MAJORS, scripted } from './ai-sdk-majors.js'
import { prices } from './suite.js'

type Messages = { role: string; content: unknown }[]
interface Part {
  readonly type: string
  readonly approvalId?: string
  readonly input?: unknown
}

const refund = defineTool({
  inputSchema: z.object({ eur: z.number() }),
  approval: ({ eur }) => eur > 10,
  execute: ({ eur }) => `paid ${eur}`,
})
const user: Messages = [{ role: 'user', content: 'hi' }]

/** One request of a chat: the messages so far, and what became of them. */
async function turn(
  ai: Ai,
  options: object,
): Promise<{ messages: Messages; asked: string | undefined; text: string }> {
  const { messages } = options as { messages: Messages }
  const { response, content, text } = await ai.generateText({
    stopWhen: ai.stepCountIs(9),
    ...options,
  } as never)
  const request = (content as unknown as Part[]).find(({ type }) => type === 'tool-approval-request')
  return { messages: [...messages, ...(response.messages as Messages)], asked: request?.approvalId, text }
}

const answer = (approvalId: string | undefined, approved: boolean, reason?: string) => ({
  role: 'tool',
  content: [
    { type: 'tool-approval-response', approvalId, approved, ...(reason === undefined ? {} : { reason }) },
  ],
})

describe.each(MAJORS.map((major) => [major.major, major] as const))(
  'ai %i: approvals in the UI',
  (_name, major) => {
    const { ai, spec } = major
    const start = (options: Parameters<typeof uiApproval>[0] = {}) => {
      const b = bench({ budget: { usd: 100 }, prices, tools: { refund }, approve: uiApproval(options) })
      const { model, read, asked } = scripted(spec, [[['refund', { eur: 20 }]]])
      const tools = toTools(b.agent, { approvals: 'ui' })
      const ask = (messages: Messages, more: object = {}) =>
        b.agent.session('alice', () => turn(ai, { model, tools, messages, ...more }))
      return { b, ask, read, asked }
    }

    test('the run stops and asks; once it is approved there, the call runs, on record as approved', async () => {
      const { b, ask, read } = start()
      const first = await ask(user)
      expect(first.asked).toBeTypeOf('string')
      expect(b.payloads('tool_call')).toEqual([])
      const second = await ask([...first.messages, answer(first.asked, true, 'a good customer')])
      expect(second.text).toBe('done')
      expect(read()).toEqual([{ type: 'text', value: 'paid 20' }])
      expect(b.payloads('approval_requested')).toMatchObject([{ tool: 'refund' }])
      expect(b.payloads('approval_decided')).toMatchObject([
        { outcome: 'approved', by: 'alice', reason: 'a good customer' },
      ])
    })

    test('a stream likewise', async () => {
      const { b } = start()
      const { model, read } = scripted(spec, [[['refund', { eur: 20 }]]])
      const stream = (messages: Messages) =>
        b.agent.session('alice', async () => {
          const tools = toTools(b.agent, { approvals: 'ui' })
          const result = ai.streamText({ model, tools, messages: messages as never })
          const parts = (await result.content) as unknown as Part[]
          const request = parts.find(({ type }) => type === 'tool-approval-request')
          return { asked: request?.approvalId, made: (await result.response).messages as Messages }
        })
      const { asked, made } = await stream(user)
      expect(asked).toBeTypeOf('string')
      await stream([...user, ...made, answer(asked, true)])
      expect(read()).toEqual([{ type: 'text', value: 'paid 20' }])
      expect(b.payloads('approval_decided')).toMatchObject([{ outcome: 'approved' }])
    })

    test('who denies it there has it not run, and the model reads so', async () => {
      const { b, ask, read } = start()
      const first = await ask(user)
      await ask([...first.messages, answer(first.asked, false, 'too much')])
      expect(read()).toMatchObject([{ type: 'execution-denied', reason: 'too much' }])
      expect(b.payloads('tool_call')).toEqual([])
    })

    test('a call that needs none runs at once', async () => {
      const b = bench({ budget: { usd: 100 }, prices, tools: { refund }, approve: uiApproval() })
      const { model, read } = scripted(spec, [[['refund', { eur: 5 }]]])
      const tools = toTools(b.agent, { approvals: 'ui' })
      await b.agent.session('alice', () => turn(ai, { model, tools, messages: user }))
      expect(read()).toEqual([{ type: 'text', value: 'paid 5' }])
    })

    test('an answer counts once', async () => {
      const { b, ask, read } = start()
      const first = await ask(user)
      const answered = [...first.messages, answer(first.asked, true)]
      await ask(answered)
      await ask(answered)
      expect(JSON.stringify(read())).toContain('approval_denied')
      expect(b.payloads('tool_result')).toHaveLength(1)
    })

    test('an answer to another call, or to another input, is none', async () => {
      const { b, ask } = start()
      const first = await ask(user)
      const text = JSON.stringify(first.messages)
      const changed = JSON.parse(text.replace('"eur":20', '"eur":2000')) as Messages
      const assistant = changed.at(-1)?.content as Part[]
      // What the SDK runs is the first message that it finds; what was asked about is another.
      const both = [
        ...changed,
        { role: 'assistant', content: assistant.filter(({ type }) => type !== 'tool-call') },
      ]
      await ask([...both, answer('some-other-id', true)]).catch(() => undefined)
      expect(b.payloads('tool_call')).toEqual([])
    })

    test('what is approved is checked again: a rule that says no by now holds', async () => {
      let isOpen = true
      const guarded = defineTool({
        inputSchema: z.object({}),
        approval: 'always',
        when: () => isOpen,
        execute: () => 'ran',
      })
      const b = bench({ budget: { usd: 100 }, prices, tools: { guarded }, approve: uiApproval() })
      const { model } = scripted(spec, [[['guarded', {}]]])
      const tools = toTools(b.agent, { approvals: 'ui' })
      const ask = (messages: Messages) => b.agent.session('alice', () => turn(ai, { model, tools, messages }))
      const first = await ask(user)
      isOpen = false
      await ask([...first.messages, answer(first.asked, true)])
      expect(b.payloads('tool_call')).toEqual([])
    })

    test('calls that nobody was asked about in the UI are denied, or asked about elsewhere', async () => {
      const b = bench({ budget: { usd: 100 }, prices, tools: { refund }, approve: uiApproval() })
      const { model, read } = scripted(spec, [[['refund', { eur: 20 }]]])
      await b.agent.session('alice', async (s) => {
        // The tools were not told to ask there.
        await turn(ai, { model, tools: toTools(b.agent), messages: user })
        expect(await s.dispatch({ name: 'refund', input: { eur: 20 } })).toMatchObject({
          denial: { reason: 'approval_unavailable' },
        })
      })
      expect(JSON.stringify(read())).toContain('approval_unavailable')
      const other = bench({
        budget: { usd: 100 },
        prices,
        tools: { refund },
        approve: uiApproval({ otherwise: () => ({ approved: true, by: 'marta' }) }),
      })
      await other.agent.session('alice', async (s) => {
        expect(await s.callTool('refund', { eur: 20 })).toBe('paid 20')
      })
    })

    test('an approval of a policy of the SDK is none of a person', async () => {
      const { b, ask } = start()
      const first = await ask(user, major.major === 7 ? { toolApproval: () => 'approved' } : {})
      if (major.major === 6) return
      expect(first.asked === undefined || b.payloads('tool_result').length === 0).toBe(true)
      expect(b.payloads('tool_call')).toEqual([])
      expect(b.payloads('tool_denied')).toMatchObject([{ reason: 'approval_unavailable' }])
    })

    test.each<[string, boolean, (parts: Record<string, unknown>[], said: Record<string, unknown>) => void]>([
      ['the answer to it', true, () => undefined],
      ['one to another input', false, ([call = {}]) => Object.assign(call, { input: { eur: 2 } })],
      ['one to another tool', false, ([call = {}]) => Object.assign(call, { toolName: 'other' })],
      ['one to another call', false, ([, asked = {}]) => Object.assign(asked, { toolCallId: 'other' })],
      ['one of a policy', false, ([, asked = {}]) => Object.assign(asked, { isAutomatic: true })],
      ['one that nobody asked for', false, (_parts, said) => Object.assign(said, { approvalId: 'other' })],
      ['a no', false, (_parts, said) => Object.assign(said, { approved: false })],
    ])('%s counts: %s', async (what, counts, change) => {
      const { b } = start()
      const toolCallId = `${major.major} ${what}`
      const parts = [
        { type: 'tool-call', toolCallId, toolName: 'refund', input: { eur: 20 } },
        { type: 'tool-approval-request', toolCallId, approvalId: 'a' },
      ]
      const said = { type: 'tool-approval-response', approvalId: 'a', approved: true }
      change(parts, said)
      const messages = [
        { role: 'assistant', content: parts },
        { role: 'tool', content: [said] },
      ] as never
      const { refund: governed } = toTools(b.agent, { approvals: 'ui' })
      await b.agent.session('alice', async () => {
        const result = Promise.resolve(governed.execute?.({ eur: 20 }, { toolCallId, messages }))
        if (counts) expect(await result).toBe('paid 20')
        else expect(String(await rejection(result))).toMatch(/approval_(unavailable|denied)/)
      })
    })

    test('who answers can be said', async () => {
      const { b, ask } = start({ by: ({ user: of }: ApprovalRequest) => `owner of ${of}` })
      const first = await ask(user)
      await ask([...first.messages, answer(first.asked, true)])
      expect(b.payloads('approval_decided')).toMatchObject([{ by: 'owner of alice' }])
    })

    test('nor does another call of the same tool, nor code of a tool of writ', async () => {
      const inner: unknown[] = []
      const again = async (name: string, input: object): Promise<string> => {
        const { currentSession } = await import('writ')
        inner.push(await (currentSession() as never as Dispatcher).dispatch({ name, input }))
        return 'ran'
      }
      const inputSchema = z.object({ n: z.number() })
      const pay = tool({ inputSchema, needsApproval: true, execute: () => again('pay', { n: 2 }) })
      const outer = tool({ inputSchema, needsApproval: true, execute: () => '' })
      const tools = {
        pay: fromTool(pay, { approval: ({ n }) => n > 1 }),
        outer: defineTool({ inputSchema, execute: () => again('refund', { eur: 20 }) }),
        refund,
      }
      const b = bench({ budget: { usd: 100 }, prices, tools, approve: uiApproval() })
      const governed = governTools({ pay, outer }, { approvals: 'ui' })
      for (const name of ['pay', 'outer']) {
        const { model } = scripted(spec, [[[name, { n: 1 }]]])
        const ask = (messages: Messages) =>
          b.agent.session('alice', () => turn(ai, { model, tools: governed, messages }))
        const first = await ask(user)
        await ask([...first.messages, answer(first.asked, true)])
      }
      const denied = { ok: false, denial: { reason: 'approval_unavailable' } }
      expect(inner).toMatchObject([denied, denied])
    })

    test('code of a tool does not live on the answer that the tool got', async () => {
      const inner: unknown[] = []
      const outer = tool({
        inputSchema: z.object({}),
        needsApproval: true,
        execute: async () => {
          const { currentSession } = await import('writ')
          inner.push(
            await (currentSession() as never as Dispatcher).dispatch({ name: 'refund', input: { eur: 20 } }),
          )
          return 'ran'
        },
      })
      const tools = { outer: fromTool(outer), refund }
      const b = bench({ budget: { usd: 100 }, prices, tools, approve: uiApproval() })
      const { model } = scripted(spec, [[['outer', {}]]])
      const governed = governTools({ outer }, { approvals: 'ui' })
      const ask = (messages: Messages) =>
        b.agent.session('alice', () => turn(ai, { model, tools: governed, messages }))
      const first = await ask(user)
      await ask([...first.messages, answer(first.asked, true)])
      expect(inner).toMatchObject([{ ok: false, denial: { reason: 'approval_unavailable' } }])
    })
  },
)

interface Dispatcher {
  dispatch(request: { name: string; input: unknown }): Promise<unknown>
}

describe.each(MAJORS.map((major) => [major.major, major] as const))(
  'ai %i: tools that ask',
  (_name, major) => {
    const { ai, spec } = major
    const erase = tool({
      inputSchema: z.object({ all: z.boolean() }),
      needsApproval: ({ all }) => all,
      execute: ({ all }) => `erased ${all}`,
    })

    test('one that is taken over asks through the contract, and nobody twice', async () => {
      const asked: string[] = []
      const b = bench({
        budget: { usd: 100 },
        prices,
        tools: { erase: fromTool(erase) },
        approve: ({ tool: name }) => {
          asked.push(name)
          return { approved: true, by: 'marta' }
        },
      })
      const { model, read } = scripted(spec, [
        [
          ['erase', { all: true }],
          ['erase', { all: false }],
        ],
      ])
      const tools = governTools({ erase })
      const { asked: inUi } = await b.agent.session('alice', () => turn(ai, { model, tools, messages: user }))
      expect(inUi).toBeUndefined()
      expect(asked).toEqual(['erase'])
      expect(read().map((output) => (output as { value: unknown }).value)).toEqual([
        'erased true',
        'erased false',
      ])
    })

    test('one that asks, in a tool whose contract does not, is asked about in the UI too', async () => {
      const plain = fromTool(erase, { approval: () => false })
      const b = bench({ budget: { usd: 100 }, prices, tools: { erase: plain }, approve: uiApproval() })
      const { model, read } = scripted(spec, [[['erase', { all: true }]]])
      const tools = governTools({ erase }, { approvals: 'ui' })
      const ask = (messages: Messages) => b.agent.session('alice', () => turn(ai, { model, tools, messages }))
      const first = await ask(user)
      expect(first.asked).toBeTypeOf('string')
      await ask([...first.messages, answer(first.asked, true)])
      expect(read()).toEqual([{ type: 'text', value: 'erased true' }])
    })

    test('one whose contract does not ask is asked about by the SDK', async () => {
      const b = bench({
        budget: { usd: 100 },
        prices,
        tools: {
          erase: defineTool({
            inputSchema: z.object({ all: z.boolean() }),
            execute: () => 'ran',
          }),
        },
      })
      const { model } = scripted(spec, [[['erase', { all: true }]]])
      const first = await b.agent.session('alice', () =>
        turn(ai, { model, tools: governTools({ erase }), messages: user }),
      )
      expect(first.asked).toBeTypeOf('string')
      expect(b.payloads('tool_call')).toEqual([])
    })
  },
)

test('what cannot be used is refused', () => {
  expect(thrown(() => uiApproval({ otherwise: true } as never))).toBeInstanceOf(TypeError)
  expect(thrown(() => uiApproval({ store: {} } as never))).toBeInstanceOf(TypeError)
  expect(thrown(() => uiApproval({ approve: true } as never))).toBeInstanceOf(TypeError)
})
