import { linkSync, readFileSync, writeFileSync } from 'node:fs'
import { join, relative } from 'node:path'
import { expect, test, vi } from 'vitest'
import { AuditSink } from 'writ'
import { verifyLog } from 'writ/verify'
import { thrown } from '../../support/agents.js'
import { agentOn, temporaryFolder } from '../../support/audit-logs.js'

const WAYS: [name: string, other: (path: string, folder: string) => string][] = [
  ['by the same path', (path) => path],
  ['by a relative path', (path) => relative(process.cwd(), path)],
  ['by a path with detours', (path, folder) => `${folder}/.//${relative(folder, path)}`],
  [
    'by a hard link',
    (path, folder) => {
      const other = join(folder, 'other.jsonl')
      linkSync(path, other)
      return other
    },
  ],
]

test.each(WAYS)(
  'a second writer in the process is refused %s, and may when the first has closed',
  async (_, other) => {
    const folder = temporaryFolder()
    const path = join(folder, 'audit.jsonl')
    const first = agentOn(AuditSink.file(path))
    await first.session('alice', () => undefined)
    const way = other(path, folder)
    const before = readFileSync(way)

    const refused = thrown(() => agentOn(AuditSink.file(way)))
    expect(refused).toMatchObject({ name: 'AuditLocked', code: 'ERR_AUDIT_LOCKED', path: way })
    expect(refused).toMatchObject({ holder: expect.stringContaining(path) })
    expect((refused as Error).message).toContain('a file of its own')
    expect(readFileSync(way)).toEqual(before)

    await first.session('bob', () => 'the first goes on')
    await first.close()
    const second = agentOn(AuditSink.file(way))
    await second.close()
    expect((await verifyLog(readFileSync(way))).verdict).toBe('UNANCHORED')
  },
)

test('an agent that cannot be made leaves no lock behind', async () => {
  const path = join(temporaryFolder(), 'audit.jsonl')
  writeFileSync(path, 'no log\n')
  expect(thrown(() => agentOn(AuditSink.file(path)))).toMatchObject({ code: 'ERR_AUDIT_DAMAGED' })
  writeFileSync(path, '')
  await agentOn(AuditSink.file(path)).close()
})

test('another copy of the package in the process is refused too', async () => {
  const path = join(temporaryFolder(), 'audit.jsonl')
  const first = agentOn(AuditSink.file(path))
  vi.resetModules()
  const copy = await import('writ')
  const sink = copy.AuditSink.file(path)
  expect(() => new copy.Agent({ identity: 'copy/v1', budget: { toolCalls: 1 }, audit: sink })).toThrow(
    expect.objectContaining({ code: 'ERR_AUDIT_LOCKED' }),
  )
  await first.close()
})
