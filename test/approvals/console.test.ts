import { PassThrough } from 'node:stream'
import { describe, expect, test } from 'vitest'
import { defineTool } from 'writ'
import { type ConsoleApprovalOptions, consoleApproval } from 'writ/approvals'
import * as z from 'zod'
import { bench } from '../support/agents.js'

/** A terminal with a person in front of it, who types what `answers` says at each prompt. */
class Terminal {
  readonly input: PassThrough & { isTTY?: boolean } = Object.assign(new PassThrough(), { isTTY: true })
  readonly isTTY = true
  shown = ''
  readonly #answers: (string | (() => void))[]

  constructor(...answers: (string | (() => void))[]) {
    this.#answers = answers
  }

  write(text: string): void {
    this.shown += text
    if (!text.endsWith('[y/N] ')) return
    const answer = this.#answers.shift()
    setImmediate(() => (typeof answer === 'string' ? this.input.write(answer) : answer?.()))
  }
}

function desk(options: ConsoleApprovalOptions | undefined, more: object = {}) {
  return bench({
    budget: { denials: 10, toolCalls: 10 },
    approve: consoleApproval(options),
    tools: {
      refund: defineTool({
        inputSchema: z.object({ note: z.string() }),
        approval: 'always',
        redact: (input) => input,
        execute: () => 'refunded',
      }),
    },
    ...more,
  })
}

const call = { name: 'refund', input: { note: 'ok' } }
const at = (terminal: Terminal): ConsoleApprovalOptions => ({
  by: 'marta',
  input: terminal.input,
  output: terminal,
})

describe('at a terminal', () => {
  test.each([
    ['y\n', true],
    ['YES\r\n', true],
    ['  yes \n', true],
    ['yes\r', true],
    ['\n', false],
    ['n\n', false],
    ['ye\n', false],
    ['yy\n', false],
    ['refund\n', false],
    ['n\ny\n', false],
    ['x'.repeat(2000), false],
  ])('%j approves: %s', async (answer, approved) => {
    const terminal = new Terminal(answer)
    const { agent, payloads } = desk(at(terminal))
    const result = await agent.session('alice', (s) => s.dispatch(call))
    expect(result.ok).toBe(approved)
    expect(payloads('approval_requested')).toMatchObject([{ handler: 'console' }])
    expect(payloads('approval_decided')).toMatchObject([
      { outcome: approved ? 'approved' : 'approval_denied', by: 'marta' },
    ])
    expect(terminal.input.isPaused()).toBe(true)
    expect(terminal.input.listenerCount('data')).toBe(0)
  })

  test('shows who wants what, and nothing of it steers the terminal', async () => {
    const terminal = new Terminal('n\n')
    const { agent } = desk(at(terminal))
    const note = 'x\u001b[2J\u001b]0;title\u0007\nRun refund? [y/N] \u202ey\u009b1A'
    await agent.session('al\u202eice', (s) => s.dispatch({ name: 'refund', input: { note } }), {
      task: 'refund\u001b[31m order',
    })
    const lines = terminal.shown.split('\n')
    expect(lines.slice(0, 7)).toEqual([
      '',
      'Approval needed',
      '  agent    test-bot/v1',
      '  tool     refund',
      '  input    {"note":"x\\u001b[2J\\u001b]0;title\\u0007\\nRun refund? [y/N] \\u202ey\\u009b1A"}',
      '  user     "al\\u202eice"',
      '  task     "refund\\u001b[31m order"',
    ])
    expect(lines.at(-1)).toBe('Run refund? [y/N] ')
    expect(terminal.shown).toMatch(/^[\n -~]*$/)
  })

  test('what was typed before the prompt answers nothing', async () => {
    const terminal = new Terminal('n\n')
    const { agent } = desk(at(terminal))
    terminal.input.write('y\n')
    expect(await agent.session('alice', (s) => s.dispatch(call))).toMatchObject({
      denial: { reason: 'approval_denied' },
    })
  })

  test('one prompt at a time; one line is one answer', async () => {
    const terminal = new Terminal('y\ny\n', 'n\n', 'y\n')
    const { agent } = desk(at(terminal))
    const results = await agent.session('alice', (s) =>
      Promise.all([s.dispatch(call), s.dispatch(call), s.dispatch(call)]),
    )
    expect(results.map(({ ok }) => ok)).toEqual([true, false, true])
    expect(terminal.shown.match(/Run refund\?/g)).toHaveLength(3)
  })

  test('a call that is given up while it queues is not asked about', async () => {
    const stop = new AbortController()
    const terminal: Terminal = new Terminal(() => {
      stop.abort(new RangeError('gone'))
      terminal.input.write('y\n')
    }, 'y\n')
    const { agent } = desk(at(terminal))
    const results = await agent.session('alice', (s) =>
      Promise.allSettled([
        s.dispatch(call),
        s.dispatch(call, { signal: stop.signal }),
        // Waits behind the second, so that a prompt for that one would have been shown, and answered, by then.
        s.dispatch(call),
      ]),
    )
    expect(results.map(({ status }) => status)).toEqual(['fulfilled', 'rejected', 'fulfilled'])
    expect(results[2]).toMatchObject({ value: { ok: true } })
    expect(terminal.shown.match(/Run refund\?/g)).toHaveLength(2)
  })

  test('the prompt says when it is too late, and the next call gets its own', async () => {
    const terminal: Terminal = new Terminal(() => made.clock.advance(50), 'y\n')
    const made = desk(at(terminal), { approvalTimeoutMs: 50 })
    await made.agent.session('alice', async (s) => {
      expect(await s.dispatch(call)).toMatchObject({ denial: { reason: 'approval_timeout' } })
      expect(terminal.shown).toContain('no longer needed')
      expect(await s.dispatch(call)).toMatchObject({ ok: true })
    })
  })

  test.each<[string, (terminal: Terminal) => void]>([
    ['ends', ({ input }) => input.end()],
    ['is destroyed', ({ input }) => input.destroy()],
    ['fails', ({ input }) => input.destroy(new RangeError('gone'))],
    ['hands over Ctrl-C', ({ input }) => input.write('\u0003')],
    ['hands over Ctrl-D', ({ input }) => input.write('y\u0004')],
  ])('an input that %s denies', async (_, end) => {
    const terminal: Terminal = new Terminal(() => end(terminal))
    terminal.input.on('error', () => undefined)
    const { agent } = desk(at(terminal))
    await agent.session('alice', async (s) => {
      expect(await s.dispatch(call)).toMatchObject({ denial: { reason: 'approval_unavailable' } })
    })
  })

  test('an input that has ended is not asked', async () => {
    const terminal = new Terminal('y\n')
    terminal.input.destroy()
    const { agent } = desk(at(terminal))
    expect(await agent.session('alice', (s) => s.dispatch(call))).toMatchObject({
      denial: { reason: 'approval_unavailable' },
    })
    expect(terminal.shown).toBe('')
  })

  test('a synchronous session cannot wait, and denies', () => {
    const terminal = new Terminal('y\n')
    const { agent } = desk(at(terminal))
    expect(agent.sessionSync('alice', (s) => s.dispatch(call))).toMatchObject({
      denial: { reason: 'approval_error' },
    })
  })

  test('the agent is not let in by its name', async () => {
    const terminal = new Terminal('y\n')
    const { agent } = desk({ ...at(terminal), by: 'test-bot/v1' })
    expect(await agent.session('alice', (s) => s.dispatch(call))).toMatchObject({
      denial: { reason: 'approval_by_agent' },
    })
  })
})

test.each([
  ['input', { input: new PassThrough(), output: new Terminal() }],
  ['output', { input: Object.assign(new PassThrough(), { isTTY: true }), output: new PassThrough() }],
])('where %s is no terminal, nobody is asked', async (_, streams) => {
  for (const kind of ['session', 'sessionSync'] as const) {
    const { agent } = desk(streams)
    expect(await agent[kind]('alice', (s) => s.dispatch(call) as never)).toMatchObject({
      denial: { reason: 'approval_unavailable' },
    })
  }
})

test.each<[string, unknown, string]>([
  ['an unknown option', { bye: 'marta' }, 'unknown option bye'],
  ['an empty name', { by: '' }, 'by'],
  ['an input that is none', { input: 5 }, 'input'],
  ['an output that is none', { output: {} }, 'output'],
  ['no options object', 'marta', 'consoleApproval'],
])('%s is refused', (_, options, message) => {
  expect(() => consoleApproval(options as never)).toThrow(message)
})
