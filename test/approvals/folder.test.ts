import {
  existsSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { setImmediate as turn } from 'node:timers/promises'
import { afterEach, describe, expect, test } from 'vitest'
import { type ApprovalAnswer, type ApprovalRequest, defineTool } from 'writ'
import { folderApproval } from 'writ/approvals'
import { fakeClock } from 'writ/testing'
import { z } from 'zod'
import { writ } from '../cli/test-io.js'
import { bench } from '../support/agents.js'

const folders: string[] = []

afterEach(() => {
  for (const folder of folders.splice(0)) rmSync(folder, { recursive: true, force: true })
})

function folderFor(): string {
  const folder = mkdtempSync(join(tmpdir(), 'writ-approvals-'))
  folders.push(folder)
  return folder
}

const REQUESTS = /\.request\.json$/

/** One call that needs an approval, while somebody does something with its request. */
async function asked(
  folder: string,
  somebody: (request: ApprovalRequest, answer: (text: string) => void, path: string) => void | Promise<void>,
  timeoutMs = 60_000,
): Promise<{
  readonly reason: string
  readonly left: readonly string[]
  readonly decided: object | undefined
}> {
  const clock = fakeClock()
  const { agent, payloads } = bench({
    budget: { toolCalls: 5 },
    tools: {
      pay: defineTool({
        inputSchema: z.object({ n: z.number() }),
        approval: 'always',
        redact: (input) => input,
        execute: () => 'paid',
      }),
    },
    approvalTimeoutMs: timeoutMs,
    approve: folderApproval(folder, { pollIntervalMs: 100, clock }),
    clock,
  })
  let reason = ''
  await agent.session('alice', async (session) => {
    const call = session.dispatch({ name: 'pay', input: { n: 4521 } })
    let isOver = false
    void call.finally(() => {
      isOver = true
    })
    for (let round = 0; round < 50 && !isOver; round++) {
      await turn()
      const [name] = existsSync(folder) ? readdirSync(folder).filter((one) => REQUESTS.test(one)) : []
      if (name !== undefined && round === 5) {
        const path = join(folder, name)
        const request = JSON.parse(readFileSync(path, 'utf8')) as ApprovalRequest
        await somebody(request, (text) => writeFileSync(path.replace(REQUESTS, '.answer.json'), text), path)
      }
      clock.advance(round < 40 ? 100 : timeoutMs)
    }
    const result = await call
    reason = result.ok ? String(result.output) : result.denial.reason
  })
  const [decided] = payloads('approval_decided')
  return { reason, left: existsSync(folder) ? readdirSync(folder) : [], decided }
}

const yes = (request: ApprovalRequest, rest: Partial<ApprovalAnswer> = {}): string =>
  JSON.stringify({ approved: true, by: 'marta', digest: request.digest, ...rest })

describe('folderApproval', () => {
  test('runs the call that somebody approves, and tidies up', async () => {
    const { reason, left, decided } = await asked(folderFor(), (request, answer) => {
      expect(request).toMatchObject({ tool: 'pay', input: { n: 4521 }, user: 'alice' })
      answer(yes(request))
    })
    expect(reason).toBe('paid')
    expect(left).toEqual([])
    expect(decided).toMatchObject({ by: 'marta' })
  })

  test.each<[what: string, text: (request: ApprovalRequest) => string, reason: string]>([
    ['says no', (request) => yes(request, { approved: false }), 'approval_denied'],
    ['is for another call', (request) => yes(request, { digest: 'x'.repeat(64) }), 'approval_mismatch'],
    ['has no digest', () => JSON.stringify({ approved: true, by: 'marta' }), 'approval_mismatch'],
    [
      'names nobody',
      (request) => JSON.stringify({ approved: true, digest: request.digest }),
      'approval_error',
    ],
    ['is cut', (request) => yes(request).slice(0, -5), 'approval_timeout'],
    ['is a list', () => '[]', 'approval_timeout'],
    ['is empty', () => '', 'approval_timeout'],
  ])('an answer that %s does not run it', async (_what, text, reason) => {
    const ran = await asked(folderFor(), (request, answer) => answer(text(request)))
    expect(ran.reason).toBe(reason)
    expect(ran.left).toEqual([])
  })

  test('an answer behind a link is none', async () => {
    const folder = folderFor()
    const elsewhere = folderFor()
    const ran = await asked(folder, (request, _answer, path) => {
      writeFileSync(join(elsewhere, 'yes.json'), yes(request))
      symlinkSync(join(elsewhere, 'yes.json'), path.replace(REQUESTS, '.answer.json'))
    })
    expect(ran.reason).toBe('approval_timeout')
  })

  test('a folder that is not there denies', async () => {
    expect((await asked(join(folderFor(), 'missing'), () => undefined)).reason).toBe('approval_unavailable')
  })

  test('is answered by writ mcp approve', async () => {
    const folder = folderFor()
    const ran = await asked(folder, async (request, answer, path) => {
      const logs = { [path]: readFileSync(path, 'utf8') }
      const id = request.id
      const listed = await writ(['mcp', 'approve', folder], { logs, nowMs: request.expiresAt - 5000 })
      expect(listed.out).toContain(
        `${id}\n  tool   pay\n  input  {"n":4521}\n  user   alice\n  until  5 s from now\n`,
      )
      expect((await writ(['mcp', 'approve', folder, id], { logs })).status).toBe(64)
      expect((await writ(['mcp', 'approve', folder, 'x', '--by', 'me'], { logs })).status).toBe(65)
      expect((await writ(['mcp', 'approve', '/nowhere'], { logs })).status).toBe(66)
      const denied = await writ(['mcp', 'approve', folder, id, '--by', 'marta', '--deny'], { logs })
      expect(Object.values(denied.made)[0]?.text).toContain('"approved":false')
      const done = await writ(['mcp', 'approve', folder, id, '--by', 'marta', '--reason', 'ok'], { logs })
      expect(done.status).toBe(0)
      const [made] = Object.entries(done.made)
      expect(made?.[0]).toBe(path.replace(REQUESTS, '.answer.json'))
      answer(made?.[1].text ?? '')
    })
    expect(ran.reason).toBe('paid')
    expect(ran.decided).toMatchObject({ by: 'marta', reason: 'ok' })
  })

  test.each([
    ['', {}],
    [5, {}],
    ['a', { pollIntervalMs: 0 }],
    ['a', { pol: 1 }],
  ])('refuses %j %j', (path, options) => {
    expect(() => folderApproval(path as string, options as object)).toThrow()
  })
})
