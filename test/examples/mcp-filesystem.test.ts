import { mkdtemp, readFile, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { expect, test } from 'vitest'
import { verifyLog } from 'writ/verify'
import { REPOSITORY, runNode } from './run-node.js'

test('five lines make the filesystem server read-only under one folder, and the log shows what was refused', async () => {
  const contract = await readFile(join(REPOSITORY, 'examples/mcp-filesystem/writ.config.json'), 'utf8')
  expect(contract.trimEnd().split('\n')).toHaveLength(5)
  const folder = await mkdtemp(join(tmpdir(), 'writ-test-mcp-example-'))
  try {
    const { status, stdout, stderr } = await runNode(['examples/mcp-filesystem/main.ts'], {
      WRIT_EXAMPLE_DIR: folder,
    })
    expect({ status, stderr }).toEqual({ status: 0, stderr: '' })
    expect(stdout).toContain('read_text_file: Call the printer.')
    expect(stdout).not.toContain('Nobody is to read this.')
    expect(stdout).toContain('write_file: refused')
    // The model reads which argument, and what is allowed.
    expect(stdout).toContain('path: leads upwards (..); allowed: ./notes')
    expect(stdout.trimEnd().split('\n').slice(-5)).toEqual([
      'Call the printer.',
      'ran read_text_file',
      'denied read_text_file: invalid_input',
      'denied read_text_file: invalid_input',
      'denied write_file: not_registered',
    ])
    expect(await verifyLog(await readFile(join(folder, 'audit.jsonl')))).toMatchObject({
      verdict: 'UNANCHORED',
    })
  } finally {
    await rm(folder, { recursive: true, force: true })
  }
}, 60_000)
