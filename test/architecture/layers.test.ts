import { readdirSync, readFileSync } from 'node:fs'
import { join, relative, sep } from 'node:path'
import { expect, test } from 'vitest'
import { MAY_IMPORT, type Sources, violations } from './source-rules.js'

const root = join(import.meta.dirname, '../..')
const src = join(root, 'src')

interface Manifest {
  dependencies?: Record<string, string>
  peerDependencies?: Record<string, string>
}
const manifest = JSON.parse(readFileSync(join(root, 'package.json'), 'utf8')) as Manifest
const dependencies = Object.keys(manifest.dependencies ?? {})
const peers = Object.keys(manifest.peerDependencies ?? {})

test('src keeps the rules of the house', () => {
  const sources: Sources = new Map(
    readdirSync(src, { recursive: true, withFileTypes: true })
      .filter((entry) => entry.isFile())
      .map((entry) => join(entry.parentPath, entry.name))
      .map((file) => [relative(src, file).split(sep).join('/'), readFileSync(file, 'utf8')]),
  )
  expect(sources.size).toBeGreaterThan(10)
  expect(violations(sources, dependencies, peers)).toEqual([])
})

/** What a file at `path` with `text` is found to break, next to a file for whatever it imports. */
function judge(path: string, text: string): string[] {
  const bystanders = [
    'core',
    'contract',
    'audit',
    'sinks',
    'session',
    'agent',
    'principal',
    'isolated',
    'approvals',
    'adapters',
    'adapters/mcp',
    'cli',
    'cli/mcp',
    'testing',
  ]
    .map((folder) => `${folder}/other.ts`)
    .concat('index.ts', 'verify.ts', 'testing.ts', 'principal.ts', 'isolated.ts', 'approvals.ts')
  const sources = new Map(bystanders.map((name) => [name, '']))
  return violations(sources.set(path, text), ['ulid', '@noble/hashes'], ['openai'])
}

test.each([
  ['core/a.ts', "import { x } from '../contract/other.js'", 'core may not import contract'],
  ['contract/a.ts', "import type { X } from '../audit/other.js'", 'contract may not import audit'],
  ['audit/a.ts', "export { x } from '../sinks/other.js'", 'audit may not import sinks'],
  ['sinks/a.ts', "import '../session/other.js'", 'sinks may not import session'],
  ['sinks/deep/a.ts', "import '../../contract/other.js'", 'sinks may not import contract'],
  ['session/a.ts', "export type X = import('../sinks/other.js').X", 'session may not import sinks'],
  ['session/a.ts', "import '../agent/other.js'", 'session may not import agent'],
  ['agent/a.ts', "import '../index.js'", 'agent may not import index.ts'],
  ['adapters/a.ts', "import '../session/other.js'", 'adapters may not import session'],
  ['principal/a.ts', "import '../session/other.js'", 'principal may not import session'],
  ['principal/a.ts', "import '../audit/other.js'", 'principal may not import audit'],
  ['session/a.ts', "import '../principal/other.js'", 'session may not import principal'],
  ['index.ts', "export { x } from './principal/other.js'", 'index.ts may not import principal'],
  ['principal.ts', "export { x } from './session/other.js'", 'principal.ts may not import session'],
  ['isolated/a.ts', "import '../session/other.js'", 'isolated may not import session'],
  ['agent/a.ts', "import '../isolated/other.js'", 'agent may not import isolated'],
  ['index.ts', "export { x } from './isolated/other.js'", 'index.ts may not import isolated'],
  ['isolated.ts', "export { x } from './contract/other.js'", 'isolated.ts may not import contract'],
  ['approvals/a.ts', "import '../session/other.js'", 'approvals may not import session'],
  ['approvals/a.ts', "import '../audit/other.js'", 'approvals may not import audit'],
  ['approvals/a.ts', "import '../isolated/other.js'", 'approvals may not import isolated'],
  ['agent/a.ts', "import '../approvals/other.js'", 'agent may not import approvals'],
  ['session/a.ts', "import '../approvals/other.js'", 'session may not import approvals'],
  ['principal/a.ts', "import '../approvals/other.js'", 'principal may not import approvals'],
  ['isolated/a.ts', "import '../principal/other.js'", 'isolated may not import principal'],
  ['cli/a.ts', "import '../isolated/other.js'", 'cli may not import isolated'],
  ['index.ts', "export { x } from './approvals/other.js'", 'index.ts may not import approvals'],
  ['verify.ts', "export { x } from './principal/other.js'", 'verify.ts may not import principal'],
  ['approvals.ts', "export { x } from './sinks/other.js'", 'approvals.ts may not import sinks'],
  ['testing/a.ts', "import '../session/other.js'", 'testing may not import session'],
  ['cli/a.ts', "import '../index.js'", 'cli may not import index.ts'],
  ['cli/a.ts', "import './mcp/other.js'", 'cli/mcp is loaded with await import() alone'],
  ['cli/a.ts', "import '../adapters/mcp/other.js'", 'cli may not import adapters/mcp'],
  ['cli/mcp/a.ts', "import '../../session/other.js'", 'cli/mcp may not import session'],
  ['cli/mcp/a.ts', "import '../../adapters/other.js'", 'cli/mcp may not import adapters'],
  ['adapters/mcp/a.ts', "import '../../session/other.js'", 'adapters/mcp may not import session'],
  ['adapters/mcp/a.ts', "import '../../cli/mcp/other.js'", 'adapters/mcp may not import cli/mcp'],
  ['adapters/mcp/a.ts', "import 'node:fs'", 'only cli imports node:fs'],
  ['verify.ts', "export { x } from './sinks/other.js'", 'verify.ts may not import sinks'],
  ['index.ts', "export { x } from './adapters/other.js'", 'index.ts may not import adapters'],
  ['testing.ts', "export { x } from './session/other.js'", 'testing.ts may not import session'],
  ['session/a.ts', "import '../index.js'", 'session may not import index.ts'],
  ['plugins/a.ts', '', 'no known folder'],
  ['core/a.ts', "import { x } from './missing.js'", 'no file of src'],
  ['core/a.ts', "import { x } from './a.js'", 'a cycle'],
  ['sinks/a.ts', "import { open } from 'node:fs'", 'only cli imports node:fs'],
  ['sinks/a.ts', "await import('node:fs')", 'only cli imports node:fs'],
  ['sinks/a.ts', 'await import(name)', 'not a literal'],
  ['core/a.ts', "import * as z from 'zod/mini'", 'zod is not a dependency'],
  ['core/a.ts', "import OpenAI from 'openai'", 'openai is not a dependency'],
  ['core/a.ts', 'export enum Colour {}', 'an enum'],
  ['core/a.ts', 'export default 1', 'a default export'],
  ['core/a.ts', 'export default class {}', 'a default export'],
  ['core/a.ts', 'const a = 1; export { a as default }', 'a default export'],
  ['core/a.ts', "throw new Error('x')", 'throw new Error()'],
  ['core/fooBar.ts', '', 'not kebab-case'],
  ['core/utils.ts', '', 'says nothing'],
  ['core/helpers/a.ts', '', 'says nothing'],
])('%s: %s', (path, text, complaint) => {
  expect(judge(path, text)).toEqual([expect.stringContaining(complaint)])
})

test('a file of more than 260 lines is too long', () => {
  expect(judge('core/a.ts', '//\n'.repeat(260))).toEqual([])
  expect(judge('core/a.ts', '//\n'.repeat(261))).toEqual(['core/a.ts: has 261 lines, more than 260'])
})

test('a cycle through several files is found once', () => {
  const sources = new Map([
    ['core/a.ts', "import './b.js'"],
    ['core/b.ts', "import './c.js'"],
    ['core/c.ts', "import type { A } from './b.js'"],
  ])
  expect(violations(sources, [], [])).toEqual(['core/b.ts → core/c.ts → core/b.ts: a cycle'])
})

test.each([
  ['cli/a.ts', "import { readFileSync } from 'node:fs'; import { verify } from '../verify.js'"],
  ['cli/a.ts', "await import('./mcp/other.js')"],
  ['cli/mcp/a.ts', "import '../../index.js'; import '../../adapters/mcp/other.js'; import 'node:fs'"],
  ['adapters/mcp/a.ts', "import { x } from '../../core/other.js'; import OpenAI from 'openai'"],
  ['adapters/a.ts', "import { Agent } from '../index.js'; import type OpenAI from 'openai/resources'"],
  ['core/a.ts', "import { sha256 } from '@noble/hashes/sha2.js'; type Fs = typeof import('node:fs')"],
  ['core/a.ts', 'switch (1) { default: throw new TypeError() } // throw new Error('],
])('nothing is wrong with %s: %s', (path, text) => {
  expect(judge(path, text)).toEqual([])
})

/** What the linter forbids, by the layer it forbids it to. */
function forbiddenByLinter(): Map<string, readonly string[]> {
  interface Override {
    includes: string[]
    linter: { rules: { style?: { noRestrictedImports?: { options?: { patterns: { group: string[] }[] } } } } }
  }
  const { overrides } = JSON.parse(readFileSync(join(root, 'biome.json'), 'utf8')) as {
    overrides: Override[]
  }
  return new Map(
    overrides.flatMap(({ includes, linter }) => {
      const patterns = linter.rules.style?.noRestrictedImports?.options?.patterns ?? []
      const groups = patterns.flatMap(({ group }) => group)
      return includes.map((path) => [path.replace(/^src\/|\/\*\*$/g, ''), groups] as const)
    }),
  )
}

test('the linter forbids each layer every folder that it may not import', () => {
  const folders = Object.keys(MAY_IMPORT).filter((name) => !name.endsWith('.ts'))
  const linter = forbiddenByLinter()
  for (const [layer, allowed] of Object.entries(MAY_IMPORT)) {
    const forbidden = folders.filter((folder) => folder !== layer && !allowed.includes(folder))
    // Forbidding a folder forbids what is in it.
    const missing = forbidden.filter((folder) => {
      const groups = linter.get(layer) ?? []
      return !groups.includes(`**/${folder}/**`) && !groups.includes(`**/${folder.split('/')[0]}/**`)
    })
    expect(missing, layer).toEqual([])
  }
})
