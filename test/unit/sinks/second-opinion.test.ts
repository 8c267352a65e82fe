import { rmSync } from 'node:fs'
import { rm } from 'node:fs/promises'
import { join } from 'node:path'
import { expect, test } from 'vitest'
import { AuditSink } from 'writ'
import { agentOn, temporaryFolder } from '../../support/audit-logs.js'
import { keptLogs } from '../../support/second-opinion.js'

test('every log that a test writes is kept for scripts/verify.sh, however it is removed', async () => {
  const removals = [
    (path: string) => rmSync(path),
    (path: string) => rm(path),
    (path: string) => rmSync(join(path, '..'), { recursive: true }),
    (path: string) => rm(join(path, '..'), { recursive: true }),
  ]
  for (const remove of removals) {
    const path = join(temporaryFolder(), 'audit.jsonl')
    const agent = agentOn(AuditSink.file(path))
    await agent.session('alice', (s) => s.callTool('act', {}))
    await agent.close()
    expect(keptLogs()).not.toContain(path)
    await remove(path)
    expect(keptLogs()).toContain(path)
  }
})
