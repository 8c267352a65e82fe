import { execFileSync } from 'node:child_process'
import { readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { expect, test } from 'vitest'
import { EXIT_CODES, verifyLog } from 'writ/verify'
import { EVENTS } from '../../../src/audit/event.js'
import { MAX_LINE_BYTES } from '../../../src/audit/record.js'
import { EXIT } from '../../../src/cli/cli-io.js'
import { bytesOf, temporaryFolder } from '../../support/audit-logs.js'
import { hasCommand } from '../../support/commands.js'

const root = join(import.meta.dirname, '../../..')
const specification = readFileSync(join(root, 'docs/audit-log.md'), 'utf8')
const log = readFileSync(join(root, 'test/vectors/writ-log.jsonl'), 'utf8')
const lines = log.trimEnd().split('\n')

/** The section under a heading. */
function section(heading: string): string {
  return specification.split(`\n## ${heading}\n`)[1]?.split('\n## ')[0] ?? ''
}

const firstCells = (text: string): string[] =>
  [...text.matchAll(/^\| `([a-zA-Z_]+)`/gm)].map(([, cell]) => cell ?? '')

test('the specification shows a record as it is written', () => {
  expect(section('A record')).toContain(`\n${lines[4]}\n`)
})

test('the specification lists the members of a record in their order', () => {
  expect(firstCells(section('A record'))).toEqual(Object.keys(JSON.parse(lines[4] ?? '') as object))
})

test('the specification lists every event, and the members that each can have', () => {
  expect(firstCells(section('Events')).sort()).toEqual([...EVENTS].sort())
  for (const line of lines) {
    const { event, payload } = JSON.parse(line) as { event: string; payload: object }
    const row = section('Events')
      .split('\n')
      .find((text) => text.startsWith(`| \`${event}\``))
    for (const member of Object.keys(payload)) expect(row, event).toContain(`\`${member}\``)
  }
})

test('the specification lists every verdict with its exit status', () => {
  const rows = [...section('Verdicts').matchAll(/^\| `([A-Z_]+)` \| (\d+) \|/gm)]
  expect(Object.fromEntries(rows.map(([, verdict, status]) => [verdict, Number(status)]))).toEqual(EXIT_CODES)
  for (const status of Object.values(EXIT)) expect(section('Verdicts')).toContain(String(status))
})

test('the specification gives the length of the longest line', () => {
  expect(section('The file')).toContain(`at most ${MAX_LINE_BYTES.toLocaleString('en')} bytes`)
})

test.skipIf(!hasCommand('jq', '--version'))('the shell check of the specification works', async () => {
  const script = /```sh\n([\s\S]*?)```/.exec(section('Checking a log'))?.[1] ?? ''
  const folder = temporaryFolder()
  const check = (text: string): string => {
    writeFileSync(join(folder, 'audit.jsonl'), text)
    try {
      return execFileSync('bash', ['-c', script], { cwd: folder, encoding: 'utf8' })
    } catch (error) {
      return (error as { stdout: string }).stdout
    }
  }
  const some = lines
    .slice(0, 5)
    .map((line) => `${line}\n`)
    .join('')
  const { head } = await verifyLog(bytesOf(some))
  expect(check(some)).toBe(`OK 5 head ${head}\n`)
  expect(check(some.replace('4521', '4522'))).toBe('BAD line 1\n')
  expect(check(some.split('\n').slice(1).join('\n'))).toBe('BAD line 0\n')
})
