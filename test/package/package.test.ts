import { execFile } from 'node:child_process'
import { cp, mkdir, mkdtemp, readdir, realpath, rm, symlink, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { dirname, join } from 'node:path'
import { promisify } from 'node:util'
import { createContext, runInContext } from 'node:vm'
import { build } from 'esbuild'
import ts from 'typescript'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import manifest from '../../package.json' with { type: 'json' }

const execute = promisify(execFile)
const root = join(import.meta.dirname, '../..')
const bin = (path: string): string => join(root, 'node_modules', path)

/** npm hands its own settings to whatever it runs; the npm started here must not inherit them. */
const environment = Object.fromEntries(Object.entries(process.env).filter(([name]) => !/^npm_/i.test(name)))

async function run(command: string, args: string[], cwd: string): Promise<string> {
  try {
    const { stdout } = await execute(command, args, { cwd, env: environment })
    return stdout
  } catch (error) {
    const { message, stdout = '' } = error as Error & { stdout?: string }
    throw new Error(`${message}\n${stdout}`, { cause: error })
  }
}

const node = (args: string[]): Promise<string> => run(process.execPath, args, consumer)

/** Somebody's empty project that has installed the package, and nothing else but what it needs. */
let consumer: string
let temporary: string
let packed: string[]

beforeAll(async () => {
  temporary = await realpath(await mkdtemp(join(tmpdir(), 'writ-package-')))

  // The package is built and packed in a copy: `dist` in the working tree belongs to whoever builds there.
  const staged = join(temporary, 'staged')
  await mkdir(staged)
  for (const name of await readdir(root)) {
    if (/^(\.git|node_modules|dist|coverage)$/.test(name)) continue
    await cp(join(root, name), join(staged, name), { recursive: true })
  }
  await run(
    process.execPath,
    [bin('tsup/dist/cli-default.js'), '--silent', '--out-dir', join(staged, 'dist')],
    root,
  )
  const [report] = JSON.parse(
    await run('npm', ['pack', '--json', '--pack-destination', temporary], staged),
  ) as [{ filename: string; files: { path: string }[] }]
  packed = report.files.map((file) => file.path)

  // The dependencies come from the working tree, so that nothing is downloaded.
  consumer = join(temporary, 'consumer')
  await mkdir(consumer)
  const dependencies: Record<string, string> = { writ: `file:${join(temporary, report.filename)}` }
  for (const name of [...Object.keys(manifest.dependencies), 'zod']) dependencies[name] = `file:${bin(name)}`
  await writeFile(
    join(consumer, 'package.json'),
    JSON.stringify({ private: true, type: 'module', dependencies }),
  )
  await run('npm', ['install', '--offline', '--install-links', '--no-audit', '--no-fund'], consumer)
  // The neighbours are many and have much beneath them: they are where they are, and not installed again.
  for (const name of Object.keys(manifest.peerDependencies)) {
    const link = join(consumer, 'node_modules', name)
    await mkdir(dirname(link), { recursive: true })
    await symlink(bin(name), link, 'junction')
  }
}, 180_000)

afterAll(() => rm(temporary, { recursive: true, force: true }))

test('it ships the build and the documents, and no source, test or setting', () => {
  const documents = ['CHANGELOG.md', 'COMPLIANCE.md', 'LICENSE', 'README.md', 'SECURITY.md', 'docs']
  const shipped = new Set(packed.map((path) => path.split('/')[0] as string))
  expect([...shipped]).toEqual(expect.arrayContaining(['LICENSE', 'dist', 'package.json']))
  expect(
    [...shipped].filter((name) => !['dist', 'package.json', 'schema', ...documents].includes(name)),
  ).toEqual([])
})

test('it depends on two packages', () => {
  expect(Object.keys(manifest.dependencies).sort()).toEqual(['@noble/hashes', 'ulid'])
})

const entries = Object.keys(manifest.exports)
  .filter((path) => path !== './package.json')
  .map((path) => path.replace('.', 'writ'))

describe.each(entries)('%s', (entry) => {
  test('loads by import and by require, as one and the same module', async () => {
    const file = join(consumer, 'load.mjs')
    await writeFile(
      file,
      `import { createRequire } from 'node:module'
       const imported = await import('${entry}')
       const required = createRequire(import.meta.url)('${entry}')
       for (const name of Object.keys(imported)) if (imported[name] !== required[name]) throw new TypeError(name)
       console.log(Object.keys(imported).length)`,
    )
    expect(Number(await node([file]))).toBeGreaterThan(0)
  })

  test('is there at run time as far as its types promise', async () => {
    const declarations = join(consumer, 'node_modules/writ/dist', `${entry.split('/')[1] ?? 'index'}.d.ts`)
    const program = ts.createProgram([declarations], { noEmit: true, module: ts.ModuleKind.NodeNext })
    const checker = program.getTypeChecker()
    const source = program.getSourceFile(declarations)
    const symbol = source && checker.getSymbolAtLocation(source)
    const promised = (symbol ? checker.getExportsOfModule(symbol) : [])
      .filter((one) => {
        const origin = one.flags & ts.SymbolFlags.Alias ? checker.getAliasedSymbol(one) : one
        return origin.flags & ts.SymbolFlags.Value
      })
      .map((one) => one.name)
    const script = `console.log(JSON.stringify(Object.keys(await import('${entry}'))))`
    const present = JSON.parse(await node(['--input-type=module', '--eval', script])) as string[]
    expect(promised.sort()).toEqual(present.sort())
  })
})

test('an error class is the same from every entry', async () => {
  const script = `
    const seen = new Map()
    for (const entry of ${JSON.stringify(entries)})
      for (const [name, value] of Object.entries(await import(entry))) {
        if (!(value.prototype instanceof Error)) continue
        if (seen.has(name) && seen.get(name) !== value) throw new TypeError(name + ' differs in ' + entry)
        seen.set(name, value)
      }`
  await node(['--input-type=module', '--eval', script])
})

test('the binary tells its version', async () => {
  const output = await run(join(consumer, 'node_modules/.bin/writ'), ['--version'], consumer)
  expect(output).toContain(manifest.version)
})

const usage = `
import { Agent, AuditSink, defineTool } from 'writ'
import * as isolated from 'writ/isolated'
import * as principal from 'writ/principal'
import * as testing from 'writ/testing'
import * as verify from 'writ/verify'
import * as z from 'zod'

const refund = defineTool({
  description: 'Issue a refund for a customer order.',
  inputSchema: z.object({ orderId: z.number().int() }),
  execute: async ({ orderId }) => \`refunded \${orderId.toFixed()}\`,
})
const agent = new Agent({ identity: 'support-bot/v1', budget: { toolCalls: 10 }, tools: { refund }, audit: AuditSink.memory() })
export const answer: Promise<string> = agent.session('alice', (s) => s.callTool('refund', { orderId: 4521 }))
export const others: object[] = [isolated, principal, testing, verify]

// @ts-expect-error: a tool outside the registry
export const refused = agent.session('alice', (s) => s.callTool('transfer', { orderId: 4521 }))
`

test.each(['nodenext', 'bundler'])(
  'its types resolve under %s, without the types of Node',
  async (resolution) => {
    const folder = join(consumer, resolution)
    await mkdir(folder)
    await writeFile(join(folder, 'usage.ts'), usage)
    const compilerOptions = {
      noEmit: true,
      strict: true,
      target: 'ES2022',
      lib: ['ES2022', 'ESNext.Disposable', 'DOM'],
      types: [],
      module: resolution === 'bundler' ? 'ESNext' : 'NodeNext',
      moduleResolution: resolution,
    }
    await writeFile(join(folder, 'tsconfig.json'), JSON.stringify({ compilerOptions, files: ['usage.ts'] }))
    await node([bin('typescript/bin/tsc'), '--project', folder])
  },
  60_000,
)

test('it loads where there is no Node, and asking for a file there is a clear error', async () => {
  const { outputFiles } = await build({
    stdin: { contents: "export * from 'writ'", resolveDir: consumer },
    bundle: true,
    write: false,
    platform: 'browser',
    format: 'iife',
    globalName: 'writ',
    logLevel: 'error',
  })
  const context = createContext({
    AbortController,
    AbortSignal,
    TextDecoder,
    TextEncoder,
    URL,
    clearTimeout,
    crypto: { getRandomValues: crypto.getRandomValues.bind(crypto) },
    performance: { now: performance.now.bind(performance) },
    queueMicrotask,
    setTimeout,
  })
  runInContext(outputFiles[0]?.text ?? '', context)
  const attempt = "(() => { try { writ.AuditSink.file('x') } catch (error) { return error.code } })()"
  expect(runInContext(attempt, context)).toBe('ERR_RUNTIME_UNSUPPORTED')
})
