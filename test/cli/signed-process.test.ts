import { readdirSync, readFileSync } from 'node:fs'
import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { temporaryFolder } from '../support/audit-logs.js'
import { bundle, type Finished, runNode } from '../support/child.js'
import { ORIGIN } from '../support/signed-logs.js'

let programs: string
let program: string
let agent: string

beforeAll(async () => {
  programs = await mkdtemp(join(tmpdir(), 'writ programs '))
  program = await bundle('src/cli/main.ts', programs)
  agent = await bundle('test/support/signed-agent-child.ts', programs)
}, 60_000)

afterAll(() => rm(programs, { recursive: true, force: true }))

const jsonOf = ({ stdout }: Finished) => JSON.parse(stdout) as Record<string, unknown>

describe('from a key to a proof, with real processes and relative paths', () => {
  // An agent's rotation, how many calls its processes make, and how many files are left, at least.
  test.each<[name: string, rotation: object | undefined, runs: number[], files: number, isPruned: boolean]>([
    ['one file', undefined, [3], 1, false],
    ['one file, two writers one after the other', undefined, [3, 2], 1, false],
    ['a log that was rotated', { maxBytes: 65_536 }, [90, 90], 3, false],
    ['a log whose oldest files were removed', { maxBytes: 65_536, keepSegments: 1 }, [150, 150], 2, true],
  ])(
    '%s',
    async (_, rotation, runs, files, isPruned) => {
      const cwd = temporaryFolder(programs)
      const writ = (...args: string[]): Promise<Finished> => runNode(program, args, { cwd })
      expect(await writ('keygen', 'audit.key', '--name', ORIGIN)).toMatchObject({ status: 0, stderr: '' })
      const signing = { key: './audit.key', everyRecords: 50 }
      for (const calls of runs) {
        const ran = await runNode(agent, [String(calls), JSON.stringify({ signing, rotation })], {
          cwd,
        })
        expect(ran).toEqual({ status: 0, stdout: '', stderr: '' })
      }
      const names = readdirSync(cwd).filter((name) => name.endsWith('.jsonl'))
      expect(names.length).toBeGreaterThanOrEqual(files)
      expect(names.includes('audit.000000000000.jsonl')).toBe(!isPruned && files > 1)

      const verified = await writ('verify', 'audit.jsonl', '--key', 'audit.key.pub', '--json')
      expect(verified).toMatchObject({ status: 0, stderr: '' })
      const report = jsonOf(verified) as { first: number; size: number; head: string }
      expect(report).toMatchObject({ verdict: 'VALID', assurance: 'signed', covered: report.size })
      expect(report.first > 0).toBe(isPruned)
      expect(await writ('verify', '.', '--key', 'audit.key.pub')).toMatchObject({ status: 0 })
      expect(await writ('verify', 'audit.jsonl')).toMatchObject({ status: 1 })
      const shown = await writ(
        'show',
        'audit.jsonl',
        '--key',
        'audit.key.pub',
        '--event',
        'tool_call',
        '--json',
      )
      expect(shown.status).toBe(0)
      expect(shown.stderr).toMatch(/^VALID \(signed\)/)
      const calls = shown.stdout.split('\n').length - 1
      if (isPruned) expect(calls).toBeLessThan(runs.reduce((sum, count) => sum + count, 0))
      else expect(calls).toBe(runs.reduce((sum, count) => sum + count, 0))

      const last = report.size - 1
      for (const seq of [report.first, Math.floor((report.first + last) / 2), last]) {
        const proof = `proof of ${seq}`
        expect(await writ('prove', 'audit.jsonl', '--seq', String(seq), '--out', proof)).toMatchObject({
          status: 0,
          stderr: '',
        })
        expect(JSON.parse(readFileSync(join(cwd, `${proof}.record`), 'utf8'))).toMatchObject({ seq })
        const checked = await writ('verify', `${proof}.record`, '--proof', proof, '--key', 'audit.key.pub')
        expect(checked).toMatchObject({ status: 0, stderr: '' })
        expect(checked.stdout).toContain(
          `VALID (signed): this is record ${seq} of the ${report.size} records`,
        )
      }
      if (isPruned) {
        const gone = await writ('prove', 'audit.jsonl', '--seq', String(report.first - 1))
        expect(gone).toMatchObject({ status: 65, stdout: '' })
        expect(gone.stderr).toContain(`record ${report.first - 1} is gone`)
      }
    },
    60_000,
  )
})
