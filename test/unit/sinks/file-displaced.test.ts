import {
  appendFileSync,
  copyFileSync,
  existsSync,
  readFileSync,
  renameSync,
  symlinkSync,
  truncateSync,
  unlinkSync,
} from 'node:fs'
import { join } from 'node:path'
import { afterEach, expect, test } from 'vitest'
import { Agent, AuditSink, defineTool } from 'writ'
import * as z from 'zod'
import { rejection } from '../../support/agents.js'
import { temporaryFolder } from '../../support/audit-logs.js'

const home = process.cwd()
afterEach(() => process.chdir(home))

/** What somebody else does to a log that is being written, and the code that names it. */
const DISPLACEMENTS: readonly [string, string, (path: string) => void][] = [
  ['removed', 'GONE', (path) => unlinkSync(path)],
  ['renamed', 'GONE', (path) => renameSync(path, `${path}.1`)],
  [
    'replaced by a copy',
    'REPLACED',
    (path) => {
      copyFileSync(path, `${path}.copy`)
      renameSync(`${path}.copy`, path)
    },
  ],
  [
    'replaced by a link to it',
    'REPLACED',
    (path) => {
      renameSync(path, `${path}.1`)
      symlinkSync(`${path}.1`, path)
    },
  ],
  ['cut', 'RESIZED', (path) => truncateSync(path, 100)],
  ['added to', 'RESIZED', (path) => appendFileSync(path, '{}\n')],
]

test.each(DISPLACEMENTS)(
  'a log that is %s under its writer stops it: no tool runs, and nothing more is written',
  async (_, code, displace) => {
    const path = join(temporaryFolder(), 'audit.jsonl')
    let runs = 0
    const tool = defineTool({ inputSchema: z.object({}), execute: () => ++runs })
    const agent = new Agent({
      identity: 'displaced',
      budget: { toolCalls: 10 },
      tools: { tool },
      audit: AuditSink.file(path),
    })
    const outcome = await rejection(
      agent.session('alice', async (s) => {
        await s.callTool('tool', {})
        await new Promise(setImmediate)
        displace(path)
        const left = existsSync(path) ? readFileSync(path) : undefined
        await rejection(s.callTool('tool', {}))
        expect(existsSync(path) ? readFileSync(path) : undefined).toEqual(left)
        await s.callTool('tool', {})
      }),
    )
    expect(outcome).toMatchObject({ code: 'ERR_AUDIT_UNAVAILABLE', path })
    expect((outcome as Error).message).toContain(code)
    expect(runs).toBe(1)
    expect(await rejection(agent.close())).toBe(outcome)
  },
)

test('a process that changes its directory goes on writing to the same log', async () => {
  const folder = temporaryFolder()
  process.chdir(folder)
  const agent = new Agent({
    identity: 'moving',
    budget: { toolCalls: 1 },
    audit: AuditSink.file('audit.jsonl'),
  })
  process.chdir(home)
  await agent.session('alice', () => 'goes on')
  await agent.close()
  expect(readFileSync(join(folder, 'audit.jsonl'), 'utf8').trim().split('\n')).toHaveLength(4)
})
