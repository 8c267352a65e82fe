import { execFile } from 'node:child_process'
import { mkdir, mkdtemp, readdir, readFile, rm, stat, truncate, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join, posix, relative, sep } from 'node:path'
import { promisify } from 'node:util'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { Agent, AuditSink, defineTool, ScopeKeys, type StandardSchema } from 'writ'
import { credentialIssuer, generateIssuerKey } from 'writ/principal'
import { verifyLog } from 'writ/verify'
import * as z from 'zod'
import manifest from '../../package.json' with { type: 'json' }
import { EVENTS } from '../../src/audit/event.js'

const execute = promisify(execFile)
const root = join(import.meta.dirname, '../..')
const read = (path: string): Promise<string> => readFile(join(root, path), 'utf8')

/** What the commands of COMPLIANCE.md are run against: a log with every kind of record. */
let folder: string

beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), 'writ-documents-'))
  await writeLog(join(folder, 'audit.jsonl'))
})

afterAll(() => rm(folder, { recursive: true, force: true }))

/** A command of a document, and what the text before it says of its output. */
interface Command {
  readonly recipe: string
  readonly text: string
  readonly printsNothing: boolean
}

/** Every `jq …` of a document, fenced or within a line, under the heading that it stands under. */
function commandsOf(markdown: string): Command[] {
  const found: Command[] = []
  for (const section of markdown.split(/^(?=#{2,} )/m)) {
    const recipe = /^### (E\d+): /.exec(section)?.[1] ?? section.split('\n', 1)[0] ?? ''
    const prose = section.replace(/^```.*?^```$/gms, '')
    const printsNothing = prose.includes('Must print nothing')
    const fenced = [...section.matchAll(/^```(?:sh|jq)\n(.*?)^```$/gms)].map(
      (match) => match[1]?.trim() ?? '',
    )
    const inline = [...prose.matchAll(/`(jq [^`]+)`/g)].map((match) => match[1] ?? '')
    for (const text of [...fenced, ...inline]) {
      if (text.startsWith('jq ')) found.push({ recipe, text, printsNothing })
    }
  }
  return found
}

const compliance = await read('COMPLIANCE.md')
const commands = commandsOf(compliance)
const jq = await execute('jq', ['--version']).then(
  ({ stdout }) => stdout.trim(),
  () => undefined,
)

describe('COMPLIANCE.md', () => {
  test('its log is sound and holds every event', async () => {
    const bytes = await readFile(join(folder, 'audit.jsonl'))
    expect((await verifyLog(bytes)).verdict).toBe('UNANCHORED')
    const records = bytes
      .toString()
      .trimEnd()
      .split('\n')
      .map((line) => JSON.parse(line))
    // What takes several files, or an anchor out of reach, is tested where those are.
    const here = EVENTS.filter((event) => event !== 'log_pruned' && event !== 'anchor_failed')
    expect(new Set(records.map((record) => record.event))).toEqual(new Set(here))
    const reasons = records
      .filter(({ event }) => event === 'tool_denied')
      .map(({ payload }) => payload.reason)
    expect([...new Set(reasons)].sort()).toEqual([
      'aborted',
      'approval_denied',
      'budget_exceeded',
      'commit_error',
      'invalid_input',
      'max_calls',
      'not_registered',
      'predicate_error',
      'predicate_false',
      'schema_error',
    ])
  })

  test('names each piece of evidence once, and uses each', () => {
    const defined = commands.map(({ recipe }) => recipe)
    expect(defined).toEqual(defined.map((_, index) => `E${index + 1}`))
    const tables = compliance.slice(compliance.indexOf('\n## OWASP'))
    const used = new Set(tables.match(/\bE\d+\b/g))
    expect([...used].filter((recipe) => !defined.includes(recipe))).toEqual([])
    expect(defined.filter((recipe) => !used.has(recipe))).toEqual([])
  })

  if (jq === undefined) {
    test('its commands', (context) =>
      context.skip('jq is not installed, so no command of COMPLIANCE.md was run'))
  } else {
    test.each(commands)('$recipe runs and prints what is said', async ({ text, printsNothing }) => {
      const { stdout, stderr } = await execute('bash', ['-euo', 'pipefail', '-c', text], { cwd: folder })
      expect(stderr).toBe('')
      if (printsNothing) expect(stdout).toBe('')
      else expect(stdout).not.toBe('')
    })

    test('a command that must print nothing prints something when there is a reason', async () => {
      const lines = (await readFile(join(folder, 'audit.jsonl'), 'utf8')).trimEnd().split('\n')
      const records = lines.map((line) => JSON.parse(line))
      const spoilt: Readonly<Record<string, unknown[]>> = {
        E2: [...records.slice(0, 3), ...records.slice(4)],
        E8: records.map(({ invoking_user: _, ...rest }) => rest),
        E14: records.filter(({ event }) => event !== 'tool_call'),
        E21: [...records].reverse(),
        E25: records.filter(({ event }) => event !== 'session_end'),
        E26: [...records, ...records],
      }
      const silent = commands.filter(({ printsNothing }) => printsNothing)
      expect(silent.map(({ recipe }) => recipe)).toEqual(Object.keys(spoilt))
      for (const { recipe, text } of silent) {
        const cwd = join(folder, recipe)
        await mkdir(cwd)
        await writeFile(
          join(cwd, 'audit.jsonl'),
          `${spoilt[recipe]?.map((record) => JSON.stringify(record)).join('\n')}\n`,
        )
        const { stdout } = await execute('bash', ['-euo', 'pipefail', '-c', text], { cwd })
        expect(stdout, recipe).not.toBe('')
      }
    })
  }

  test('has every entry of the OWASP list', () => {
    const entries = compliance.match(/^\| ASI\d\d /gm)?.map((cell) => cell.slice(2, 7))
    expect(entries).toEqual(
      Array.from({ length: 10 }, (_, index) => `ASI${String(index + 1).padStart(2, '0')}`),
    )
  })

  test('every row says what is not covered, and names a test and evidence for what is', () => {
    const tables = compliance.slice(compliance.indexOf('\n## OWASP'))
    const rows = tables
      .split('\n')
      .filter((line) => line.startsWith('|') && !/^\| (?:Entry|Criterion|Control) |^\|-/.test(line))
    expect(rows.length).toBeGreaterThan(70)
    for (const row of rows) {
      const cells = row.split('|').map((cell) => cell.trim())
      expect(cells, row).toHaveLength(7)
      const [, , mechanism = '', tests = '', evidence = '', missing = ''] = cells
      expect(missing, row).not.toBe('')
      if (mechanism.startsWith('None')) continue
      expect(tests, row).toMatch(/^(?:`test\/[^`]+`(?:, |$))+$/)
      expect(evidence, row).toMatch(/^(?:E\d+(?:, |$))+$/)
    }
  })
})

describe('documents', () => {
  test.each(['README.md', 'SECURITY.md', 'COMPLIANCE.md'])(
    '%s names only tests that exist',
    async (document) => {
      const text = await read(document)
      const files = await filesUnder('test')
      const named = new Set([...text.matchAll(/(?<![\w/.-])test\/[\w./*-]*[\w*]/g)].map(([path]) => path))
      expect([...named].filter((path) => !files.some((file) => matches(path, file)))).toEqual([])
    },
  )

  test.each(['README.md', 'SECURITY.md', 'COMPLIANCE.md', 'CHANGELOG.md'])(
    '%s claims no conformity',
    async (document) => {
      expect(await read(document)).not.toMatch(/compliant\s+with/i)
    },
  )

  test.each(['README.md', 'SECURITY.md', 'COMPLIANCE.md', 'CHANGELOG.md'])(
    '%s names only codes that exist',
    async (document) => {
      const errors = await read('src/core/errors.ts')
      const codes = new Set((await read(document)).match(/\bERR_[A-Z_]+/g))
      expect([...codes].filter((code) => !errors.includes(`'${code}'`))).toEqual([])
    },
  )

  test.each(['SECURITY.md', 'COMPLIANCE.md', 'CHANGELOG.md'])(
    '%s links only to files that exist',
    async (document) => {
      const targets = [...(await read(document)).matchAll(/\]\((?!https:)([^)#]+)/g)].map(
        (match) => match[1] ?? '',
      )
      for (const target of targets) expect((await stat(join(root, target))).isFile(), target).toBe(true)
    },
  )

  test('links to headings lead to one', async () => {
    const documents = (await readdir(join(root, 'docs'))).filter((name) => name.endsWith('.md'))
    const paths = ['README.md', 'SECURITY.md', 'COMPLIANCE.md', 'CHANGELOG.md', 'CONTRIBUTING.md']
    const all = [...paths, ...documents.map((name) => `docs/${name}`)]
    const texts = new Map(await Promise.all(all.map(async (path) => [path, await read(path)] as const)))
    const broken: string[] = []
    for (const [path, text] of texts) {
      for (const [, target = ''] of text.matchAll(/\]\((?!https?:)([^)\s]+)\)/g)) {
        const [file = '', anchor] = target.split('#')
        const other = file === '' ? path : posix.join(posix.dirname(path), file)
        const isThere = await stat(join(root, other)).catch(() => undefined)
        const isAnchor = anchor === undefined || anchorsOf(texts.get(other) ?? '').has(anchor)
        if (isThere === undefined || !isAnchor) broken.push(`${path}: ${target}`)
      }
    }
    expect(broken).toEqual([])
  })

  test('SECURITY.md has sixteen promises, each with its test', async () => {
    const rows = [
      ...(await read('SECURITY.md')).matchAll(/^\| (\d+) \| .*`test\/promises\/p(\d\d)-\*` \|$/gm),
    ]
    expect(rows.map((row) => [Number(row[1]), Number(row[2])])).toEqual(
      Array.from({ length: 16 }, (_, index) => [index + 1, index + 1]),
    )
  })

  test('SECURITY.md names the packages that come with this one', async () => {
    const section = (await read('SECURITY.md')).split(/^## Dependencies$/m)[1] ?? ''
    const named = [...section.matchAll(/^\| `([^`]+)` \|/gm)].map((match) => match[1] ?? '')
    expect(named.sort()).toEqual(Object.keys(manifest.dependencies).sort())
  })

  test('the changelog and the security policy know this version', async () => {
    expect(await read('CHANGELOG.md')).toContain(`\n## [${manifest.version}] - `)
    expect(await read('SECURITY.md')).toContain(`| ${manifest.version.replace(/\d+$/, 'x')} | yes |`)
  })
})

/** What a link to a heading of this text may end in. */
function anchorsOf(text: string): Set<string> {
  const headings = [...text.matchAll(/^#+ (.*)$/gm)].map(([, heading]) => String(heading))
  return new Set(
    headings.map((heading) =>
      heading
        .toLowerCase()
        .replace(/[^\w\s-]/g, '')
        .replace(/\s/g, '-'),
    ),
  )
}

async function filesUnder(path: string): Promise<string[]> {
  const entries = await readdir(join(root, path), { recursive: true, withFileTypes: true })
  return entries
    .filter((entry) => entry.isFile())
    .map((entry) => relative(root, join(entry.parentPath, entry.name)).split(sep).join('/'))
}

/** A path names a file, a folder that holds it, or a pattern where `*` stands for anything but a slash. */
function matches(path: string, file: string): boolean {
  const pattern = path.split('*').map((part) => part.replace(/[.+?^${}()|[\]\\]/g, '\\$&'))
  return new RegExp(`^${pattern.join('[^/]*')}(?:$|/)`).test(file)
}

/** A schema that cannot answer. */
const broken: StandardSchema = {
  '~standard': {
    version: 1,
    vendor: 'documents',
    validate: () => {
      throw new TypeError('no answer')
    },
  },
}

/**
 * Writes a log with every event and every reason for a denial: work that is permitted, refused, stopped,
 * abandoned and nested, a copy that loses everything, and a crash that cuts the last line.
 */
async function writeLog(path: string): Promise<void> {
  const sink = () =>
    AuditSink.composite(
      AuditSink.file(path, { durability: 'os' }),
      AuditSink.callback(
        () => {
          throw new TypeError('no room')
        },
        { name: 'copy' },
      ),
    )
  const audit = sink()
  const order = z.object({ orderId: z.number().int() })
  let finishLate: ((value: string) => void) | undefined
  let onStuck: (() => void) | undefined
  const keys = ScopeKeys.memory()
  let isKeyStoreUp = false

  const helper = new Agent({
    identity: 'helper/v1',
    budget: { toolCalls: 5 },
    tools: { look: defineTool({ inputSchema: order, readOnly: true, execute: ({ orderId }) => orderId }) },
    audit,
  })
  const clerk = new Agent({
    identity: 'clerk/v1',
    budget: { usd: 5, tokens: 10_000, toolCalls: 50, llmCalls: 20, depth: 2, denials: 20 },
    approve: ({ input }) => ({
      approved: (input as { orderId: number }).orderId === 4521,
      by: 'marta',
      reason: 'a good customer',
    }),
    prices: { priced: { inputUsdPerMTok: 3, outputUsdPerMTok: 15 } },
    credentials: credentialIssuer({ key: await generateIssuerKey(), issuer: 'documents' }),
    tools: {
      refund: defineTool({
        inputSchema: order,
        when: ({ orderId }) => orderId > 0,
        redact: ({ orderId }) => ({ orderId }),
        execute: ({ orderId }) => `refunded ${orderId}`,
      }),
      once: defineTool({ inputSchema: z.object({}), maxCalls: 1, execute: () => 'done' }),
      unsure: defineTool({
        inputSchema: z.object({}),
        when: () => {
          throw new TypeError('no rule')
        },
        execute: () => 'never',
      }),
      unchecked: defineTool({ inputSchema: broken, execute: () => 'never' }),
      pondered: defineTool({
        inputSchema: z.object({}),
        when: () => new Promise<boolean>(() => undefined),
        execute: () => 'never',
      }),
      approved: defineTool({
        inputSchema: order,
        approval: 'always',
        redact: ({ orderId }) => ({ orderId }),
        execute: () => 'paid',
      }),
      failing: defineTool({
        inputSchema: z.object({}),
        execute: () => {
          throw Object.assign(new Error('host unreachable'), { code: 'EHOSTUNREACH' })
        },
      }),
      slow: defineTool({
        inputSchema: z.object({}),
        timeoutMs: 1,
        execute: () =>
          new Promise<string>((resolve) => {
            finishLate = resolve
          }),
      }),
      stuck: defineTool({
        inputSchema: z.object({}),
        execute: () => {
          onStuck?.()
          return new Promise<string>(() => undefined)
        },
      }),
      charge: defineTool({ inputSchema: order, commit: ['/orderId'], execute: () => 'charged' }),
      ask: defineTool({
        inputSchema: order,
        execute: (input) => helper.session('alice', (s) => s.callTool('look', input)),
      }),
    },
    audit,
    scopeKeys: { keyFor: (user) => (isKeyStoreUp ? keys.keyFor(user) : undefined) },
  })
  const usage = { model: 'priced', inputTokens: 100, outputTokens: 10 }

  await clerk.session(
    'alice',
    async (s) => {
      await s.callTool('refund', { orderId: 4521 })
      await s.credential({ audience: 'billing', ttlMs: 60_000, tools: ['refund'] })
      await s.callTool('once', {})
      await s.dispatch({ name: 'charge', input: { orderId: 4521 } })
      isKeyStoreUp = true
      await s.callTool('charge', { orderId: 4521 })
      await s.callTool('approved', { orderId: 4521 })
      await s.dispatch({ name: 'approved', input: { orderId: 1 } })
      await s.callTool('ask', { orderId: 4521 })
      await s.dispatch({ id: 'call_1', name: 'wire-transfer', input: { amount: 1000 } })
      await s.dispatch({ id: 'call_2', name: 'refund', input: '{"orderId":"all"}' })
      await s.dispatch({ name: 'refund', input: { orderId: -1 } })
      for (const name of ['once', 'unsure', 'unchecked', 'failing', 'slow'])
        await s.dispatch({ name, input: {} })
      const impatient = new AbortController()
      const pondered = s.callTool('pondered', {}, { signal: impatient.signal })
      impatient.abort()
      await pondered.catch(() => undefined)
      finishLate?.('too late')

      await s.callLlm(
        { model: 'priced', maxTokens: 500 },
        () => 'reply',
        () => usage,
      )
      await s
        .callLlm(
          { model: 'priced', maxTokens: 500 },
          () => Promise.reject(new TypeError('reset')),
          () => usage,
        )
        .catch(() => undefined)
      s.recordLlm(usage)
      try {
        s.recordLlm({ ...usage, costUsd: Number.NaN })
      } catch {
        // Refused, and on record.
      }
      s.reserve({ usd: 1 }).settle({ usd: 0.25 })
    },
    { task: 'refund order #4521' },
  )
  const leaving = new AbortController()
  const ended = [
    clerk.session(
      'bob',
      (s) => s.callTool('refund', { orderId: 1 }).then(() => s.callTool('refund', { orderId: 2 })),
      {
        budget: { toolCalls: 1 },
      },
    ),
    clerk.session('carol', async (s) => {
      const running = new Promise<void>((resolve) => {
        onStuck = resolve
      })
      const stuck = s.callTool('stuck', {})
      await running
      s.recordLlm({ ...usage, costUsd: 6 })
      return stuck
    }),
    clerk.session('dave', () => Promise.reject(new RangeError('no such order'))),
    clerk.session('erin', () => new Promise(() => leaving.abort()), { signal: leaving.signal }),
  ]
  expect((await Promise.allSettled(ended)).map(({ status }) => status)).toEqual(ended.map(() => 'rejected'))
  await helper.close()
  await clerk.close()

  // As a crash leaves it: the last line is cut, and the next writer sets that aside.
  await truncate(path, (await stat(path)).size - 5)
  const next = new Agent({ identity: 'clerk/v2', budget: { toolCalls: 1 }, audit: sink() })
  await next.session('alice', () => 'nothing to do')
  await next.close()
}
