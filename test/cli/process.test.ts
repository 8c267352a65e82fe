import { spawn } from 'node:child_process'
import { once } from 'node:events'
import {
  closeSync,
  mkdirSync,
  openSync,
  readFileSync,
  rmSync,
  statSync,
  writeFileSync,
  writeSync,
} from 'node:fs'
import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { text } from 'node:stream/consumers'
import { stripVTControlCharacters } from 'node:util'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import manifest from '../../package.json' with { type: 'json' }
import { SigningKey } from '../../src/audit/note/signing-key.js'
import { chain, fileOf } from '../support/audit-logs.js'
import { bundle, type Finished, type RunOptions, runNode, start } from '../support/child.js'
import { command, hasCommand } from '../support/commands.js'
import { historyOf, keyOf, noteOver, ORIGIN } from '../support/signed-logs.js'

let folder: string
let program: string
let log: string
let empty: string
const lines = chain(Array.from({ length: 50 }, () => ({})))
const bytes = fileOf(lines)

beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), 'writ-cli-'))
  program = await bundle('src/cli/main.ts', folder)
  log = join(folder, 'audit.jsonl')
  writeFileSync(log, bytes)
  empty = join(folder, 'empty')
  mkdirSync(empty)
}, 60_000)

afterAll(() => rm(folder, { recursive: true, force: true }))

const writ = (args: readonly string[], options?: RunOptions): Promise<Finished> =>
  runNode(program, args, options)

test('the program begins with a line that tells the shell to run it with node', () => {
  expect(readFileSync(program, 'utf8').split('\n')[0]).toBe('#!/usr/bin/env node')
})

test('--version is the version of the package', async () => {
  expect(await writ(['--version'])).toEqual({ status: 0, stdout: `writ ${manifest.version}\n`, stderr: '' })
})

describe('exit statuses', () => {
  test.each<[name: string, content: Uint8Array, status: number]>([
    ['UNANCHORED', bytes, 1],
    ['TAMPERED', fileOf(lines.slice(1)), 2],
    ['MALFORMED', new Uint8Array(0), 6],
    ['CRASH_DAMAGED', bytes.subarray(0, -1), 7],
  ])('%s', async (verdict, content, status) => {
    const path = join(folder, `${verdict}.jsonl`)
    writeFileSync(path, content)
    for (const command of ['verify', 'show']) {
      const finished = await writ([command, path])
      expect(finished).toMatchObject({ status, stderr: '' })
      expect(finished.stdout).toContain(`${verdict}: `)
    }
  })

  test('a wrong command line', async () => {
    expect(await writ(['verify'])).toMatchObject({ status: 64, stdout: '' })
    expect(await writ([])).toMatchObject({ status: 64, stdout: '' })
  })
})

describe('a log that cannot be read: exit 66 and the reason', () => {
  test.each<[name: string, path: () => string, reason: string]>([
    ['missing', () => join(folder, 'missing'), 'there is no such file'],
    ['a folder without a log', () => empty, 'there is no log in this folder'],
    ['below a file', () => join(log, 'x'), 'no directory'],
    ['with a name that is too long', () => join(folder, 'x'.repeat(300)), 'name is too long'],
  ])('%s', async (_, path, reason) => {
    for (const command of ['verify', 'show']) {
      const { status, stdout, stderr } = await writ([command, path()])
      expect({ status, stdout }).toEqual({ status: 66, stdout: '' })
      expect(stderr).toMatch(/^writ: cannot read the log: .*\n$/)
      expect(stderr).toContain(path())
      expect(stderr).toContain(reason)
    }
  })

  test('standard input that is a directory', async () => {
    const input = openSync(folder, 'r')
    const child = spawn(process.execPath, [program, 'verify', '-'], { stdio: [input, 'pipe', 'pipe'] })
    const [stderr, [status]] = await Promise.all([text(child.stderr!), once(child, 'close')])
    closeSync(input)
    expect({ status, stderr }).toEqual({
      status: 66,
      stderr: 'writ: cannot read the log: standard input: it is a directory\n',
    })
  })
})

describe('standard input', () => {
  test('is read as a log for -', async () => {
    const { status, stdout } = await writ(['verify', '-', '--json'], { input: bytes })
    expect(status).toBe(1)
    expect(JSON.parse(stdout)).toMatchObject({ verdict: 'UNANCHORED', size: 50, bytes: bytes.length })
  })

  test('may be a named pipe too', async () => {
    const pipe = join(folder, 'pipe')
    command('mkfifo', [pipe])
    const finished = writ(['verify', pipe, '--json'])
    const writer = spawn('cp', [log, pipe])
    await once(writer, 'close')
    expect(JSON.parse((await finished).stdout)).toMatchObject({ verdict: 'UNANCHORED', size: 50 })
  })
})

describe('output', () => {
  test('that cannot be written is exit 74 and said', async () => {
    for (const args of [['verify', log], ['show', log], ['show', '--json', log], ['--help']]) {
      const full = openSync('/dev/full', 'w')
      const child = spawn(process.execPath, [program, ...args], { stdio: ['ignore', full, 'pipe'] })
      const [stderr, [status]] = await Promise.all([text(child.stderr!), once(child, 'close')])
      closeSync(full)
      expect(status).toBe(74)
      expect(stderr).toMatch(/^writ: cannot write: ENOSPC.*\n$/)
    }
  })

  test('that nobody reads any more ends the program without a word', async () => {
    const many = join(folder, 'many.jsonl')
    writeFileSync(many, fileOf(chain(Array.from({ length: 20_000 }, () => ({})))))
    const child = start(program, ['show', many])
    child.stdin.end()
    const stderr = text(child.stderr)
    await once(child.stdout, 'data')
    child.stdout.destroy()
    const [status] = (await once(child, 'close')) as [number]
    expect({ status, stderr: await stderr }).toEqual({ status: 74, stderr: '' })
  })

  test('has no colours and no progress where there is no terminal', async () => {
    const { stdout, stderr } = await writ(['show', log], {
      env: { FORCE_COLOR: '1', TERM: 'xterm-256color' },
    })
    expect(stdout + stderr).not.toContain('\u001b')
  })
})

describe.skipIf(!hasCommand('script', '-qec', 'stty cols 70', '/dev/null'))('on a terminal', () => {
  const onTerminal = (args: string, env: Record<string, string>): string => {
    const line = `stty cols 70; ${process.execPath} ${program} ${args}`
    return command('script', ['-qec', line, '/dev/null'], { TERM: 'xterm', ...env })
  }

  test('there are colours, and rows are cut to its width', () => {
    const out = onTerminal(`show ${log}`, { NO_COLOR: '' })
    expect(out).toContain('\u001b[')
    const rows = stripVTControlCharacters(out).split('\r\n').slice(0, 50)
    for (const row of rows) expect(row.length).toBeLessThanOrEqual(70)
    expect(rows[0]).toContain('…')
  })

  test.each<[name: string, env: Record<string, string>]>([
    ['NO_COLOR', { NO_COLOR: '1' }],
    ['a dumb terminal', { TERM: 'dumb', NO_COLOR: '' }],
  ])('%s: no colours', (_, env) => {
    const out = onTerminal(`show ${log}`, env)
    expect(out).toContain('session started')
    expect(out).not.toContain('\u001b[3')
  })
})

test('a log of many megabytes takes no more memory than a small one', async () => {
  const big = join(folder, 'big.jsonl')
  const file = openSync(big, 'w')
  const size = 160 * 1024 * 1024
  const line = Buffer.from(`${lines[0]!.slice(0, 40)}${'x'.repeat(60_000)}\n`)
  for (let written = 0; written < size; written += line.length) writeSync(file, line)
  closeSync(file)
  const peak = async (path: string): Promise<number> => {
    const probe = join(folder, 'probe.mjs')
    writeFileSync(
      probe,
      `process.on('exit', () => process.stderr.write(String(process.resourceUsage().maxRSS)))\nawait import(${JSON.stringify(program)})\n`,
    )
    const { stderr } = await runNode(probe, ['verify', path])
    return Number(stderr) / 1024
  }
  // In megabytes, and only that it does not grow with the log.
  expect((await peak(big)) - (await peak(log))).toBeLessThan(80)
}, 60_000)

describe('keys, checkpoints and proofs in files', () => {
  test('from keygen to a proof, with modes and nothing overwritten', async () => {
    const place = join(folder, 'signed')
    mkdirSync(place)
    const at = (name: string): string => join(place, name)
    const made = await writ(['keygen', at('key'), '--name', ORIGIN])
    expect(made).toMatchObject({ status: 0, stderr: '' })
    expect(statSync(at('key')).mode & 0o777).toBe(0o600)
    const again = await writ(['keygen', at('key'), '--name', ORIGIN])
    expect(again).toMatchObject({ status: 73, stdout: '' })
    const key = SigningKey.parse(readFileSync(at('key'), 'utf8').trimEnd())
    expect(made.stdout.startsWith(readFileSync(at('key.pub'), 'utf8'))).toBe(true)
    writeFileSync(at('audit.jsonl'), bytes)
    writeFileSync(at('audit.jsonl.checkpoint'), noteOver(lines, 40, [key]))
    expect(await writ(['verify', at('audit.jsonl'), '--key', at('key.pub')])).toMatchObject({ status: 0 })
    expect(await writ(['verify', place, '--key', at('key.pub')])).toMatchObject({ status: 0 })
    expect(await writ(['prove', at('audit.jsonl'), '--seq', '30', '--out', at('p')])).toMatchObject({
      status: 0,
    })
    const checked = await writ(['verify', at('p.record'), '--proof', at('p'), '--key', at('key.pub')])
    expect(checked).toMatchObject({ status: 0, stderr: '' })
  })

  test('a history of 100 MB is read at its end, and says so', async () => {
    const place = join(folder, 'history.jsonl')
    writeFileSync(place, bytes)
    const file = openSync(`${place}.checkpoints`, 'w')
    const many = Buffer.from(
      historyOf(Array.from({ length: 50 }, (_, index) => noteOver(lines, index + 1))).repeat(100),
    )
    for (let written = 0; written < 100e6; written += many.length) writeSync(file, many)
    closeSync(file)
    const { status, stdout } = await writ(['verify', place, '--key', String(keyOf().verifierKey), '--json'])
    rmSync(`${place}.checkpoints`)
    expect(status).toBe(0)
    const { verdict, findings } = JSON.parse(stdout) as { verdict: string; findings: { kind: string }[] }
    expect({ verdict, kinds: findings.map(({ kind }) => kind) }).toEqual({
      verdict: 'VALID',
      kinds: ['checkpoints_skipped'],
    })
  })

  test('sidecars that are folders or cannot be read: exit 66, by name', async () => {
    const place = join(folder, 'odd.jsonl')
    writeFileSync(place, bytes)
    mkdirSync(`${place}.checkpoint`)
    const { status, stderr } = await writ(['verify', place])
    expect(status).toBe(66)
    expect(stderr).toContain('odd.jsonl.checkpoint: it is no file')
  })
})

test('the working directory is where a relative path begins', async () => {
  mkdirSync(join(folder, 'sub'))
  expect((await writ(['verify', '../audit.jsonl'], { cwd: join(folder, 'sub') })).status).toBe(1)
})
