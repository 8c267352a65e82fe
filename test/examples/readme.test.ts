import { mkdtemp, readdir, readFile, rm, stat, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, beforeAll, describe, expect, test, vi } from 'vitest'
import { EXIT_CODES } from 'writ/verify'
import { LIMIT_NAMES } from '../../src/contract/budget.js'
import { REPOSITORY, runNode } from './run-node.js'

vi.setConfig({ testTimeout: 60_000, hookTimeout: 60_000 })

const readme = await readFile(join(REPOSITORY, 'README.md'), 'utf8')

let scratch: string
beforeAll(async () => {
  scratch = await mkdtemp(join(tmpdir(), 'writ-test-readme-'))
})
afterAll(() => rm(scratch, { recursive: true, force: true }))

/** The members of a union of string literals in a source file. */
async function unionOf(path: string, name: string): Promise<string[]> {
  const source = await readFile(join(REPOSITORY, path), 'utf8')
  const union = new RegExp(`type ${name} =((?:\\s*\\| '\\w+')+)`).exec(source)?.[1] ?? ''
  return [...union.matchAll(/'(\w+)'/g)].map(([, member]) => String(member))
}

/** The text under a heading, up to the next one. */
const section = (heading: string): string =>
  readme.split(/^## /m).find((text) => text.startsWith(`${heading}\n`)) ?? ''

/** First cells of the rows of a section's tables that are in code. */
const rows = (heading: string): string[] =>
  [...section(heading).matchAll(/^\| (?:\d+ \| )?`([^`]*)`/gm)].map(([, cell]) => String(cell))

describe('the blocks of the README', () => {
  const check = async (text: string): Promise<string> => {
    const copy = join(scratch, 'README.md')
    await writeFile(copy, text)
    const { status, stderr } = await runNode(['scripts/sync-readme.mjs', '--check', copy])
    expect(status).toBe(stderr === '' ? 0 : 1)
    expect(await readFile(copy, 'utf8')).toBe(text)
    return stderr
  }

  test('are what the examples hold and what a run prints', async () => {
    expect(await check(readme)).toBe('')
  })

  test('that differ, claim more, or come from nowhere are found', async () => {
    const changes = [
      [
        "identity: 'support-bot/v1'",
        "identity: 'support-bot/v2'",
        'differs from code examples/quickstart.ts#',
      ],
      ['2 depth; tools: refund\n', '2 depth; tools: refund, pay\n', 'differs from output show'],
      ['UNANCHORED: consistent', 'VALID: consistent', 'differs from output verify'],
      ['"tool":"refund"', '"tool":"refunds"', 'differs from output record'],
      ['## Agent', '```ts\nconst answer = 42\n```\n\n## Agent', 'says not where it comes from'],
      ['tools.ts#tools', 'tools.ts#none', 'there is no code examples/demo/tools.ts#none'],
    ] as const
    const wrong = changes.reduce((text, [from, to]) => text.replaceAll(from, to), readme)
    const faults = await check(wrong)
    for (const [from, , fault] of changes) {
      expect(readme).toContain(from)
      expect(faults).toContain(fault)
    }
    expect(faults.trim().split('\n')).toHaveLength(changes.length)
  })

  test('are brought up to date without --check, and are then as they were', async () => {
    const copy = join(scratch, 'old.md')
    const old = readme.replace("identity: 'support-bot/v1'", "identity: 'support-bot/v0'")
    await writeFile(copy, old.replace('  records  7', '  records  8'))
    const { status } = await runNode(['scripts/sync-readme.mjs', copy])
    expect(status).toBe(0)
    expect(await check(await readFile(copy, 'utf8'))).toBe('')
  })
})

describe('the README', () => {
  test('begins with one sentence, the installation and the example', () => {
    const lines = readme.split('\n')
    expect(lines[2]?.match(/\.(\s|$)/g)).toHaveLength(1)
    expect(lines.indexOf('npm i writ zod')).toBeGreaterThan(0)
    expect(lines.indexOf("import { Agent, AuditSink, defineTool } from 'writ'")).toBeLessThan(20)
  })

  test('says what Writ does not do before anything else', () => {
    const headings = [...readme.matchAll(/^## (.*)$/gm)].map(([, heading]) => heading)
    expect(headings[0]).toBe('What Writ does not do')
  })

  test('has every limit', () => {
    expect(rows('Budget').sort()).toEqual([...LIMIT_NAMES].sort())
  })

  test('has every reason for a denial', async () => {
    const reasons = await unionOf('src/core/denial-reason.ts', 'DenialReason')
    expect(reasons.length).toBeGreaterThan(5)
    for (const reason of reasons) expect(section('Tools')).toContain(`\`${reason}\``)
  })

  test('has every error and its code', async () => {
    const codes = await unionOf('src/core/errors.ts', 'WritErrorCode')
    const listed = [...section('Errors').matchAll(/^\| `\w+` \| `(ERR_\w+)` \|/gm)].map(([, code]) => code)
    expect(listed.sort()).toEqual(codes.sort())
    const names = await readdir(join(REPOSITORY, 'src'), { recursive: true })
    const sources = names.filter((name) => name.endsWith('.ts'))
    const texts = sources.map((name) => readFile(join(REPOSITORY, 'src', name), 'utf8'))
    const source = (await Promise.all(texts)).join('')
    for (const [, name, code] of section('Errors').matchAll(/^\| `(\w+)` \| `(ERR_\w+)` \|/gm)) {
      expect(source).toMatch(new RegExp(`class ${name} extends WritError \\{[^}]*readonly code = '${code}'`))
    }
  })

  test('has every exit status', () => {
    const listed = [...section('Command line').matchAll(/^\| (\d+) \| `(\w+)` \|/gm)]
    expect(Object.fromEntries(listed.map(([, code, verdict]) => [verdict, Number(code)]))).toEqual(EXIT_CODES)
  })

  test('links to what exists', async () => {
    const targets = [...readme.matchAll(/\]\((?!https:)([^)#]+)/g)].map(([, target]) => String(target))
    expect(targets.length).toBeGreaterThan(10)
    for (const target of targets) await expect(stat(join(REPOSITORY, target)), target).resolves.toBeDefined()
  })

  test('has every example in its table', async () => {
    const listed = [...readme.matchAll(/^\| \[`examples\/([\w-]+)(?:\.ts)?\/?`\]/gm)].map(([, name]) => name)
    const there = await readdir(join(REPOSITORY, 'examples'))
    const examples = there
      .filter((name) => name !== 'support' && name !== 'data')
      .map((name) => name.replace(/\.ts$/, ''))
    expect(listed.toSorted()).toEqual(examples.toSorted())
  })
})
