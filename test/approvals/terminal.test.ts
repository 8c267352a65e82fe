import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, beforeAll, expect, test } from 'vitest'
import { bundle, runNode } from '../support/child.js'
import { hasCommand } from '../support/commands.js'

let folder: string
let child: string
beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), 'writ-terminal-'))
  child = await bundle('test/approvals/terminal-child.ts', folder)
})
afterAll(() => rm(folder, { recursive: true, force: true }))

/** Runs the child at a terminal of its own, and types `keys` when it asks. */
async function atTerminal(keys: string): Promise<string> {
  const terminal = spawn('script', ['-qec', `"${process.execPath}" "${child}"`, '/dev/null'])
  let shown = ''
  terminal.stdout.setEncoding('utf8').on('data', (text: string) => {
    const wasAsked = shown.includes('[y/N] ')
    shown += text
    if (!wasAsked && shown.includes('[y/N] ')) terminal.stdin.write(keys)
  })
  await once(terminal, 'close')
  return shown
}

test.skipIf(!hasCommand('script', '-qec', 'true', '/dev/null')).each([
  ['y\n', 'result: refunded'],
  ['n\n', 'result: approval_denied'],
  ['\u0004', 'result: approval_unavailable'],
])('at a real terminal, %j comes to %s, and the process ends', async (keys, result) => {
  const shown = await atTerminal(keys)
  expect(shown).toContain('Run refund? [y/N]')
  expect(shown).toContain(result)
})

test('without a terminal nobody is asked, and the process ends', async () => {
  const { stdout, stderr, status } = await runNode(child, [], { input: 'y\n' })
  expect({ stdout, stderr, status }).toEqual({
    stdout: 'result: approval_unavailable\n',
    stderr: '',
    status: 0,
  })
})
