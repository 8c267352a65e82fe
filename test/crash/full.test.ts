import { spawnSync } from 'node:child_process'
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, afterEach, beforeAll, describe, expect, test } from 'vitest'
import { Agent, AuditSink, type FileSinkOptions } from 'writ'
import { bundle, type Finished, runNode } from '../support/child.js'
import { hasCommand } from '../support/commands.js'
import { bytesOf, missingCalls, recordsOf, verifySigned } from '../support/whole-log.js'
import { KEY, segmentsOf } from '../support/written-logs.js'

let folder: string
let full: string

beforeAll(async () => {
  folder = mkdtempSync(join(tmpdir(), 'writ-full-'))
  full = await bundle('test/crash/full-child.ts', folder)
}, 60_000)

afterAll(() => rmSync(folder, { recursive: true, force: true }))

const SIGNING = { key: KEY.encode(), everyRecords: 20 }
const LOGS: [name: string, options: FileSinkOptions][] = [
  ['durability commit', { durability: 'commit' }],
  ['durability interval', { durability: 'interval' }],
  ['durability os', { durability: 'os' }],
  ['signed', { signing: SIGNING }],
]

const callsOf = (stdout: string): string[] =>
  stdout.split('\n').filter((line) => /^[0-9A-Z]{26}\./.test(line))

/** The log ended because there was no more room, and what is there is whole: every call that ran, and no half line. */
async function expectEnded(
  { status, stdout, stderr }: Finished,
  path: string,
  why: string,
): Promise<string[]> {
  expect({ status, stderr }).toEqual({ status: 0, stderr: '' })
  expect(stdout.trimEnd().split('\n').at(-1)).toMatch(`ERR_AUDIT_UNAVAILABLE`)
  expect(stdout).toContain(`(${why})`)
  const ran = callsOf(stdout)
  expect(ran.length).toBeGreaterThan(5)
  const bytes = bytesOf(path)
  expect(bytes.at(-1)).toBe(0x0a)
  const records = recordsOf(bytes)
  expect(missingCalls(ran, records)).toEqual([])
  const { verdict, size } = await verifySigned(path)
  expect(['VALID', 'UNANCHORED']).toContain(verdict)
  expect(size).toBe(records.length)
  return ran
}

/** Once there is room again, a writer goes on with the same chain. */
async function expectGoesOn(path: string, options: FileSinkOptions, ran: readonly string[]): Promise<void> {
  const { stdout } = await runNode(full, [path, JSON.stringify(options), '3'])
  expect(stdout).toMatch(/\ndone\n$/)
  const records = recordsOf(bytesOf(path))
  expect(missingCalls([...ran, ...callsOf(stdout)], records)).toEqual([])
  expect(await verifySigned(path)).toMatchObject({
    verdict: options.signing === undefined ? 'UNANCHORED' : 'VALID',
    size: records.length,
  })
}

test.skipIf(process.platform !== 'linux')('a device is refused as a log', () => {
  const audit = AuditSink.file('/dev/full')
  expect(() => new Agent({ identity: 'test-bot/v1', budget: { toolCalls: 1 }, audit })).toThrow(
    expect.objectContaining({
      code: 'ERR_AUDIT_UNAVAILABLE',
      message: expect.stringContaining('it is not a regular file'),
    }),
  )
})

function canMount(): boolean {
  if (process.platform !== 'linux' || process.getuid?.() !== 0) return false
  const place = mkdtempSync(join(tmpdir(), 'writ-mount-'))
  const mounted = mount(place, 64)
  if (mounted) spawnSync('umount', [place])
  rmSync(place, { recursive: true })
  return mounted
}

function mount(place: string, kib: number): boolean {
  return (
    spawnSync('mount', ['-t', 'tmpfs', '-o', `size=${kib}k`, 'tmpfs', place], { stdio: 'ignore' }).status ===
    0
  )
}

describe.skipIf(!canMount())('a file system that is full (needs root and mount)', () => {
  let place: string

  afterEach(() => {
    expect(spawnSync('umount', [place]).status).toBe(0)
  })

  function mounted(kib: number): string {
    place = join(folder, 'disk')
    mkdirSync(place, { recursive: true })
    expect(mount(place, kib)).toBe(true)
    writeFileSync(join(place, 'ballast'), new Uint8Array(24 * 1024))
    return join(place, 'audit.jsonl')
  }

  test.each<[name: string, options: FileSinkOptions, kib: number]>([
    ...LOGS.map(([name, options]) => [name, options, 64] as [string, FileSinkOptions, number]),
    ['in many files', { rotation: { maxBytes: 65_536 } }, 256],
    ['signed, in many files', { signing: SIGNING, rotation: { maxBytes: 65_536 } }, 256],
  ])('%s', async (_, options, kib) => {
    const path = mounted(kib)
    const ran = await expectEnded(await runNode(full, [path, JSON.stringify(options)]), path, 'ENOSPC')
    if (options.rotation !== undefined) expect(segmentsOf(path).length).toBeGreaterThan(2)
    // As long as there is no room, nothing runs.
    const again = await runNode(full, [path, JSON.stringify(options)])
    expect(callsOf(again.stdout)).toEqual([])
    expect(again.stdout).toContain('ERR_AUDIT_UNAVAILABLE')
    rmSync(join(place, 'ballast'))
    await expectGoesOn(path, options, ran)
  })
})

describe.skipIf(!hasCommand('bash', '-c', 'ulimit -f 40'))('a limit on the size of files', () => {
  test.each(LOGS)('%s', async (name, options) => {
    const path = join(folder, `limited-${name.replace(' ', '-')}.jsonl`)
    const limited = `ulimit -f 40; exec "$0" "$@"`
    const { status, stdout, stderr } = spawnSync(
      'bash',
      ['-c', limited, process.execPath, full, path, JSON.stringify(options)],
      { encoding: 'utf8' },
    )
    const ran = await expectEnded({ status, stdout, stderr }, path, 'EFBIG')
    await expectGoesOn(path, options, ran)
  })
})
