import { createHmac } from 'node:crypto'
import { mkdtempSync, readdirSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { describe, expect, test } from 'vitest'
import {
  Agent,
  type AgentOptions,
  type ApprovalAnswer,
  AuditSink,
  type DispatchResult,
  defineTool,
  type PendingCall,
  type ToolSet,
} from 'writ'
import { folderApprovalStore } from 'writ/approvals'
import { fakeClock } from 'writ/testing'
import * as z from 'zod'
import { bench, rejection, thrown } from '../support/agents.js'

const SECRET = 'a secret of at least thirty-two bytes, for tests'
const suspend = { onApproval: 'suspend' } as const

/** Two agents of one kind in, as it were, two processes, with a log each. */
function twoProcesses(more: Partial<AgentOptions<ToolSet>> = {}, later: Partial<AgentOptions<ToolSet>> = {}) {
  const ran: unknown[] = []
  const tools = (): ToolSet => ({
    refund: defineTool({
      description: 'Refund.',
      inputSchema: z.object({ amount: z.coerce.number(), note: z.string().optional() }),
      approval: 'always',
      redact: ({ amount }) => ({ amount }),
      execute: (input) => {
        ran.push(input)
        return `refunded ${input.amount}`
      },
    }),
    free: defineTool({ inputSchema: z.object({}), execute: () => 'free' }),
  })
  const options = { budget: { toolCalls: 5, usd: 1 }, approvalSecret: SECRET, ...more }
  const first = bench({ tools: tools(), ...options })
  const second = bench({ tools: tools(), ...options, clock: first.clock, ...later })
  return { first, second, clock: first.clock, ran }
}

type Made = ReturnType<typeof twoProcesses>

async function pendingOf(
  { first }: Made,
  kind: 'async' | 'sync' = 'async',
  input: unknown = { amount: '5' },
): Promise<string> {
  const request = { id: 'call_7', name: 'refund', input }
  const result: DispatchResult | PendingCall =
    kind === 'async'
      ? await first.agent.session('alice', (s) => s.dispatch(request, suspend), { task: 'refund' })
      : first.agent.sessionSync('alice', (s) => s.dispatch(request, suspend), { task: 'refund' })
  if (result.ok || result.pending === undefined) throw new TypeError(JSON.stringify(result))
  return result.pending
}

const yes = ({ second }: Made, token: string): ApprovalAnswer => ({
  approved: true,
  by: 'marta',
  digest: second.agent.pending(token).digest,
})

describe.each(['async', 'sync'] as const)('a call that is suspended in a session that is %s', (kind) => {
  test('runs in another process, hours later, as exactly that call', async () => {
    const made = twoProcesses()
    const { first, second, clock, ran } = made
    const token = await pendingOf(made, kind)
    expect(ran).toEqual([])
    await clock.advance(6 * 3_600_000)
    const request = second.agent.pending(token)
    expect(request).toMatchObject({ tool: 'refund', input: { amount: 5 }, user: 'alice', task: 'refund' })
    expect(await second.agent.resume(token, yes(made, token))).toEqual({ ok: true, output: 'refunded 5' })
    expect(ran).toEqual([{ amount: 5 }])
    expect(first.payloads('approval_requested')).toMatchObject([
      {
        call_id: request.id,
        model_call_id: 'call_7',
        handler: 'suspend',
        suspended: true,
        args: { amount: 5 },
      },
    ])
    expect(first.payloads('tool_denied')).toEqual([])
    expect(first.records().at(-1)?.budget).toMatchObject({ tool_calls: 1, denials: 0 })
    expect(second.records().map(({ event }) => event)).toEqual([
      'log_open',
      'session_start',
      'approval_decided',
      'tool_call',
      'tool_result',
      'session_end',
    ])
    expect(second.payloads('session_start')).toMatchObject([{ task: 'refund' }])
    expect(second.records()[1]?.invoking_user).toBe('alice')
    expect(second.payloads('approval_decided')).toMatchObject([
      {
        outcome: 'approved',
        by: 'marta',
        resumed_from: request.id,
        waited_ms: 6 * 3_600_000,
        digest: request.digest,
      },
    ])
    expect(second.payloads('tool_call')).toMatchObject([{ model_call_id: 'call_7' }])
  })
})

describe('a decision', () => {
  const resume = async (made: Made, token: string, change: object): Promise<unknown> =>
    made.second.agent.resume(token, { ...yes(made, token), ...change })

  test.each<[string, object, string]>([
    ['a no', { approved: false }, 'approval_denied'],
    ['without a digest', { digest: undefined }, 'approval_mismatch'],
    ['with another digest', { digest: 'f'.repeat(64) }, 'approval_mismatch'],
    ['by the agent', { by: 'test-bot/v1' }, 'approval_by_agent'],
    ['that has expired', { expiresAt: 1 }, 'approval_expired'],
    ['that is no boolean', { approved: 'true' }, 'approval_error'],
    ['by nobody', { by: undefined }, 'approval_error'],
  ])('%s refuses by name', async (_, change, reason) => {
    const made = twoProcesses()
    const token = await pendingOf(made)
    expect(await resume(made, token, change)).toMatchObject({ ok: false, denial: { reason } })
    expect(made.ran).toEqual([])
    expect(made.second.payloads('approval_decided')).toMatchObject([{ outcome: reason }])
    expect(made.second.payloads('tool_denied')).toMatchObject([{ reason, args: { amount: 5 } }])
  })

  test.each([true, false])('counts once: approved %s', async (approved) => {
    const made = twoProcesses()
    const token = await pendingOf(made)
    await resume(made, token, { approved })
    expect(await resume(made, token, {})).toMatchObject({ denial: { reason: 'approval_used' } })
    expect(made.ran).toHaveLength(approved ? 1 : 0)
  })

  test('that is no answer does not use the call up', async () => {
    const made = twoProcesses()
    const token = await pendingOf(made)
    await resume(made, token, { approved: 'yes' })
    expect(await resume(made, token, {})).toMatchObject({ ok: true })
  })

  test('counts once, also when two arrive at the same time', async () => {
    const folder = mkdtempSync(join(tmpdir(), 'writ-approvals-'))
    try {
      const made = twoProcesses({ approvalStore: folderApprovalStore(folder) })
      const token = await pendingOf(made)
      const other = new Agent({
        identity: 'test-bot/v1',
        budget: { toolCalls: 5, usd: 1 },
        tools: {
          refund: defineTool({
            description: 'Refund.',
            inputSchema: z.object({ amount: z.coerce.number(), note: z.string().optional() }),
            execute: (input) => made.ran.push(input),
          }),
        },
        audit: AuditSink.memory(),
        clock: made.clock,
        approvalSecret: SECRET,
        approvalStore: folderApprovalStore(folder),
      })
      const results = await Promise.all([
        resume(made, token, {}),
        other.resume(token, yes(made, token)),
        resume(made, token, {}),
      ])
      expect(results.filter((result) => (result as DispatchResult).ok)).toHaveLength(1)
      expect(made.ran).toHaveLength(1)
      expect(readdirSync(folder)).toHaveLength(1)
    } finally {
      rmSync(folder, { recursive: true })
    }
  })

  test('after the time of the token is too late', async () => {
    const made = twoProcesses({ approvalTokenTtlMs: 1000 })
    const token = await pendingOf(made)
    await made.clock.advance(1000)
    expect(await resume(made, token, {})).toMatchObject({ denial: { reason: 'approval_expired' } })
    expect(made.ran).toEqual([])
  })

  test.each<[string, unknown, string]>([
    [
      'throws',
      () => {
        throw new RangeError('disk')
      },
      'approval_error',
    ],
    ['rejects', () => Promise.reject(new RangeError('disk')), 'approval_error'],
    ['says undefined', () => undefined, 'approval_error'],
    ['says a number', () => 1, 'approval_error'],
    ['says false', () => Promise.resolve(false), 'approval_used'],
  ])('that a store %s of is refused', async (_, claim, reason) => {
    const made = twoProcesses({ approvalStore: { claim: claim as never } })
    const token = await pendingOf(made)
    expect(await resume(made, token, {})).toMatchObject({ denial: { reason } })
    expect(made.ran).toEqual([])
  })
})

describe('every check is made again', () => {
  const tool = (change: object) => ({
    refund: defineTool({
      description: 'Refund.',
      inputSchema: z.object({ amount: z.coerce.number(), note: z.string().optional() }),
      approval: 'always',
      execute: () => 'ran',
      ...change,
    }),
  })

  test.each<[string, ToolSet, string]>([
    ['a tool that is gone', {}, 'not_registered'],
    ['a tool that is described in another way', tool({ description: 'Refund twice.' }), 'approval_mismatch'],
    [
      'a schema that has changed',
      tool({ inputSchema: z.object({ amount: z.coerce.number().max(100) }) }),
      'approval_mismatch',
    ],
    [
      'a schema that refuses',
      tool({ inputSchema: z.object({ amount: z.coerce.number().max(1) }) }),
      'invalid_input',
    ],
    ['a rule that says no now', tool({ when: () => false }), 'predicate_false'],
    ['a tool that needs no approval any more', tool({ approval: undefined }), 'none'],
  ])('%s', async (_, tools, reason) => {
    const made = twoProcesses({}, { tools })
    const token = await pendingOf(made)
    const result = await made.second.agent.resume(token, yes(made, token))
    expect(made.ran).toEqual([])
    if (reason === 'none') expect(result).toEqual({ ok: true, output: 'ran' })
    else expect(result).toMatchObject({ ok: false, denial: { reason } })
  })

  test('a tool that needs no approval any more is refused all the same when somebody says no', async () => {
    const made = twoProcesses({}, { tools: tool({ approval: undefined }) })
    const token = await pendingOf(made)
    const no = { ...yes(made, token), approved: false }
    expect(await made.second.agent.resume(token, no)).toMatchObject({ denial: { reason: 'approval_denied' } })
  })

  test('a schema that makes another input of it each time', async () => {
    let count = 0
    const drifting = tool({
      inputSchema: z
        .object({ amount: z.coerce.number() })
        .transform(({ amount }) => ({ amount: amount + count++ })),
    })
    const made = twoProcesses({ tools: drifting }, { tools: drifting })
    const token = await pendingOf(made)
    expect(await made.second.agent.resume(token, yes(made, token))).toMatchObject({
      denial: { reason: 'approval_mismatch' },
    })
  })

  test('another agent with the same secret', async () => {
    const made = twoProcesses({}, { identity: 'other-bot/v1' })
    const token = await pendingOf(made)
    expect(await made.second.agent.resume(token, yes(made, token))).toMatchObject({
      denial: { reason: 'approval_mismatch' },
    })
  })

  test('no limit and no tool beyond those it was suspended under', async () => {
    const seen: unknown[] = []
    const tools: ToolSet = {
      refund: defineTool({
        inputSchema: z.object({ amount: z.coerce.number() }),
        approval: 'always',
        execute: async (_, { session }) => {
          seen.push(session.remaining())
          return (session as unknown as { dispatch(request: object): unknown }).dispatch({
            name: 'free',
            input: {},
          })
        },
      }),
      free: defineTool({ inputSchema: z.object({}), execute: () => 'free' }),
    }
    const made = twoProcesses({ tools, budget: { toolCalls: 5, usd: 1 } }, { tools })
    const result = await made.first.agent.session(
      'alice',
      async (s) => {
        s.recordLlm({ model: 'm', inputTokens: 1, outputTokens: 1, costUsd: 0.75 })
        return s.dispatch({ name: 'refund', input: { amount: 5 } }, suspend)
      },
      { tools: ['refund'], budget: { toolCalls: 3 } },
    )
    const token = String(result.ok ? '' : result.pending)
    expect(await made.second.agent.resume(token, yes(made, token))).toMatchObject({
      ok: true,
      output: { ok: false, denial: { reason: 'not_registered' } },
    })
    expect(seen).toEqual([{ usd: 0.25, toolCalls: 2 }])
  })
})

describe('a token', () => {
  test('is one text, and every change of it is noticed', async () => {
    const made = twoProcesses()
    const token = await pendingOf(made)
    expect(token).toMatch(/^writ-approval\.v1\.[\w-]+\.[\w-]{43}$/)
    for (let index = 0; index < token.length; index += 1 + Math.floor(token.length / 97)) {
      const changed = `${token.slice(0, index)}${token[index] === 'A' ? 'B' : 'A'}${token.slice(index + 1)}`
      expect(await rejection(made.second.agent.resume(changed, yes(made, token)))).toBeInstanceOf(TypeError)
    }
    expect(made.ran).toEqual([])
    expect(made.second.payloads('session_start')).toEqual([])
  })

  test.each<[unknown]>([
    [''],
    ['.'],
    ['writ-approval.v1..'],
    [5],
    [undefined],
    ['writ-approval.v1.e30.AAAA'],
  ])('%s is none', async (token) => {
    const { second } = twoProcesses()
    expect(await rejection(second.agent.resume(token as string, {} as never))).toBeInstanceOf(TypeError)
    expect(thrown(() => second.agent.pending(token as string))).toBeInstanceOf(TypeError)
  })

  test('under another secret is none', async () => {
    const made = twoProcesses({}, { approvalSecret: `${SECRET}!` })
    const token = await pendingOf(made)
    expect(await rejection(made.second.agent.resume(token, {} as never))).toBeInstanceOf(TypeError)
    const body = token.slice(0, token.lastIndexOf('.'))
    const signed = createHmac('sha256', SECRET).update(body).digest('base64url')
    expect(token).toBe(`${body}.${signed}`)
  })

  test('needs a secret', async () => {
    const { agent } = bench({ budget: { toolCalls: 1 } })
    await agent.session('alice', async (s) => {
      const error = await rejection(s.dispatch({ name: 'refund', input: {} }, suspend))
      expect(String(error)).toContain("'suspend' needs the agent's approvalSecret")
    })
    expect(await rejection(agent.resume('x', {} as never))).toBeInstanceOf(TypeError)
  })

  test('is for dispatch alone, and says so', async () => {
    const { first } = twoProcesses()
    await first.agent.session('alice', async (s) => {
      expect(String(await rejection(s.callTool('refund', { amount: 1 }, suspend as never)))).toContain(
        'unknown option onApproval',
      )
      expect(
        String(await rejection(s.dispatch({ name: 'free', input: {} }, { onApproval: 'later' as never }))),
      ).toContain("expected 'wait' or 'suspend'")
      expect(await s.dispatch({ name: 'free', input: {} }, suspend)).toEqual({ ok: true, output: 'free' })
    })
  })

  test('cannot be made of what JSON does not hold', async () => {
    const anything = {
      '~standard': { version: 1, vendor: 'test', validate: (value: unknown) => ({ value }) },
    } as const
    for (const input of [{ amount: 5n }, { amount: -0 }, ['a', undefined], { name: '\ud800' }]) {
      const made = bench({
        budget: { toolCalls: 1 },
        approvalSecret: SECRET,
        clock: fakeClock(),
        tools: { refund: defineTool({ inputSchema: anything, approval: 'always', execute: () => 1 }) },
      })
      const result = await made.agent.session('alice', (s) => s.dispatch({ name: 'refund', input }, suspend))
      expect(result).toMatchObject({ ok: false, denial: { reason: 'approval_error' } })
    }
  })
})
