import { posix } from 'node:path'
import ts from 'typescript'

/** Every file of `src`, by its path inside it (`core/errors.ts`), with its text. */
export type Sources = ReadonlyMap<string, string>

/** What each folder and each entry file may import, apart from itself. Whatever is missing is not allowed. */
export const MAY_IMPORT: Readonly<Record<string, readonly string[]>> = {
  core: [],
  contract: ['core'],
  audit: ['core'],
  sinks: ['core', 'audit'],
  session: ['core', 'contract', 'audit'],
  agent: ['core', 'contract', 'audit', 'sinks', 'session'],
  approvals: ['core', 'contract', 'sinks'],
  'approvals.ts': ['approvals'],
  'index.ts': ['core', 'contract', 'audit', 'sinks', 'session', 'agent'],
  'verify.ts': ['core', 'audit'],
  principal: ['core', 'contract'],
  'principal.ts': ['core', 'contract', 'principal'],
  isolated: ['core', 'contract'],
  'isolated.ts': ['isolated'],
  adapters: ['index.ts', 'adapters/mcp'],
  'adapters/mcp': ['core', 'index.ts', 'approvals.ts', 'adapters'],
  testing: ['core', 'audit', 'index.ts'],
  'testing.ts': ['core', 'audit', 'testing'],
  cli: ['core', 'audit', 'verify.ts', 'cli/mcp'],
  'cli/mcp': ['core', 'index.ts', 'approvals.ts', 'adapters/mcp', 'cli'],
}

const MAX_LINES = 260
const KEBAB_CASE = /^[a-z0-9]+(-[a-z0-9]+)*(\.ts)?$/
const VAGUE_NAMES = /^(utils?|helpers?|managers?|legacy|common)$/

interface Import {
  readonly specifier: string
  /** `import('x')` as a type: erased, and no statement, so it cannot load anything. */
  readonly erased: boolean
  /** `await import('x')`: loads nothing until it is reached. */
  readonly lazy?: true
}

interface Parsed {
  readonly imports: readonly Import[]
  readonly forbidden: readonly string[]
}

function parse(path: string, text: string): Parsed {
  const imports: Import[] = []
  const forbidden: string[] = []
  const visit = (node: ts.Node): void => {
    if ((ts.isImportDeclaration(node) || ts.isExportDeclaration(node)) && node.moduleSpecifier) {
      imports.push({ specifier: (node.moduleSpecifier as ts.StringLiteral).text, erased: false })
    } else if (ts.isCallExpression(node) && node.expression.kind === ts.SyntaxKind.ImportKeyword) {
      const [argument] = node.arguments
      if (argument && ts.isStringLiteral(argument))
        imports.push({ specifier: argument.text, erased: false, lazy: true })
      else forbidden.push('an import() whose specifier is not a literal')
    } else if (ts.isImportTypeNode(node) && ts.isLiteralTypeNode(node.argument)) {
      imports.push({ specifier: (node.argument.literal as ts.StringLiteral).text, erased: true })
    }
    if (ts.isEnumDeclaration(node)) forbidden.push('an enum')
    if (ts.isExportAssignment(node)) forbidden.push('a default export')
    if (ts.isExportSpecifier(node) && node.name.text === 'default') forbidden.push('a default export')
    if (node.kind === ts.SyntaxKind.DefaultKeyword && !ts.isDefaultClause(node.parent)) {
      forbidden.push('a default export')
    }
    if (ts.isThrowStatement(node) && ts.isNewExpression(node.expression)) {
      const { expression } = node.expression
      if (ts.isIdentifier(expression) && expression.text === 'Error') forbidden.push('throw new Error()')
    }
    ts.forEachChild(node, visit)
  }
  visit(ts.createSourceFile(path, text, ts.ScriptTarget.Latest, true))
  return { imports, forbidden }
}

/** Folders inside a folder that have a rule of their own. */
const SUBLAYERS = Object.keys(MAY_IMPORT).filter((name) => name.includes('/'))

/** The folder that a path is in, or the path itself for an entry file. */
const layerOf = (path: string): string =>
  SUBLAYERS.find((name) => path.startsWith(`${name}/`)) ?? (path.split('/')[0] as string)

/** A layer that is loaded when it is asked for: everybody else pays nothing for it. */
const LAZY = 'cli/mcp'

const resolve = (from: string, specifier: string): string =>
  posix.join(posix.dirname(from), specifier).replace(/\.js$/, '.ts')

/**
 * Every way in which `sources` break the rules of the house, one line each.
 *
 * @param dependencies packages that any file may import.
 * @param peers packages that adapters and `principal` may import too.
 */
export function violations(
  sources: Sources,
  dependencies: readonly string[],
  peers: readonly string[],
): string[] {
  const found: string[] = []
  const edges = new Map<string, string[]>()
  for (const [path, text] of sources) {
    const { imports, forbidden } = parse(path, text)
    found.push(...forbidden.map((what) => `${path}: has ${what}`))
    const layer = layerOf(path)
    const allowed = MAY_IMPORT[layer]
    if (!allowed) found.push(`${path}: ${layer} is no known folder or entry file`)

    const targets: string[] = []
    edges.set(path, targets)
    for (const { specifier, erased, lazy } of imports) {
      if (specifier.startsWith('.')) {
        const target = resolve(path, specifier)
        targets.push(target)
        if (!sources.has(target)) found.push(`${path}: imports ${specifier}, which is no file of src`)
        const other = layerOf(target)
        if (other !== layer && allowed && !allowed.includes(other)) {
          found.push(`${path}: ${layer} may not import ${other} (${specifier})`)
        }
        if (other === LAZY && layer === 'cli' && !lazy) {
          found.push(`${path}: ${other} is loaded with await import() alone (${specifier})`)
        }
      } else if (specifier.startsWith('node:')) {
        if (layer !== 'cli' && layer !== 'cli/mcp' && !erased)
          found.push(`${path}: only cli imports ${specifier}`)
      } else {
        const name = specifier.split('/', specifier.startsWith('@') ? 2 : 1).join('/')
        const known =
          dependencies.includes(name) ||
          ((layer.startsWith('adapters') || layer === 'principal') && peers.includes(name))
        if (!known) found.push(`${path}: ${name} is not a dependency`)
      }
    }

    const lines = text.trimEnd().split('\n').length
    if (lines > MAX_LINES) found.push(`${path}: has ${lines} lines, more than ${MAX_LINES}`)
    for (const part of path.split('/')) {
      if (!KEBAB_CASE.test(part)) found.push(`${path}: ${part} is not kebab-case`)
      if (VAGUE_NAMES.test(part.replace(/\.ts$/, ''))) found.push(`${path}: ${part} says nothing`)
    }
  }
  return [...found, ...cycles(edges)]
}

/** Every cycle that a depth-first walk closes. Types count: a cycle of types is a cycle of ideas. */
function cycles(edges: ReadonlyMap<string, readonly string[]>): string[] {
  const found: string[] = []
  const done = new Set<string>()
  const trail: string[] = []
  const walk = (path: string): void => {
    const start = trail.indexOf(path)
    if (start >= 0) found.push(`${[...trail.slice(start), path].join(' → ')}: a cycle`)
    if (start >= 0 || done.has(path)) return
    trail.push(path)
    for (const target of edges.get(path) ?? []) walk(target)
    trail.pop()
    done.add(path)
  }
  for (const path of edges.keys()) walk(path)
  return found
}
