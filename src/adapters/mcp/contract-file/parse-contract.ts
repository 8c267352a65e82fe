import { readToolName } from '../tool-name.js'
import { type Complain, checkShape } from './check-shape.js'
import type { Contract, ToolContract } from './contract.js'
import { ContractInvalid, type ContractProblem } from './contract-invalid.js'
import { CONTRACT, DEFAULT_BUDGET, DEFAULT_MAX_MESSAGE_BYTES } from './contract-shape.js'
import { type JsonLines, readJsonLines } from './json-lines.js'
import { readRules } from './read-rules.js'

/** More than any contract that people write. */
const MAX_CHARACTERS = 4 * 1024 * 1024
/** Deeper than any rule needs to be. */
const MAX_DEPTH = 64
/** Nobody reads more at once. */
const MAX_PROBLEMS = 20

type Members = Readonly<Record<string, unknown>>

/**
 * Reads the text of a contract file (`writ.config.json`). Nothing is taken from a file with a fault in it.
 *
 * @throws {@link ContractInvalid} that names every fault with its place: text that is no JSON, a name that is
 *   not known (with the nearest one that is), a name that is there twice, a value that cannot be meant, a
 *   pattern or glob that cannot be compiled, two tools that would share a name in the log.
 * @example
 * parseContract('{ "tools": { "read_file": { "path": { "under": "./notes" } } }, "audit": "./audit.jsonl" }')
 * @see docs/mcp-contract.md
 */
export function parseContract(text: string): Contract {
  if (typeof text !== 'string') throw new TypeError('parseContract: expected the text of a contract file')
  const json = text.startsWith('\ufeff') ? text.slice(1) : text
  const value = parseJson(json)
  const lines = readJsonLines(json)
  const problems: ContractProblem[] = []
  const complain: Complain = (path, message) => {
    problems.push({ pointer: pointerTo(path), line: lineOf(lines, path), message })
  }
  for (const { path } of lines.twice) complain(path, 'is there twice; which one is meant?')
  checkShape(CONTRACT, value, [], complain)
  if (problems.length === 0) {
    const contract = readContract(value as Members, complain)
    if (problems.length === 0) return contract
  }
  throw new ContractInvalid(problems.slice(0, MAX_PROBLEMS))
}

function parseJson(text: string): unknown {
  const refuse = (message: string, cause?: unknown): never => {
    throw new ContractInvalid([{ pointer: '', line: undefined, message }], { cause })
  }
  if (text.length > MAX_CHARACTERS) refuse(`more than ${MAX_CHARACTERS} characters`)
  let depth = 0
  for (const [token] of text.matchAll(/"(?:[^"\\]|\\.)*"|[[\]{}]/g)) {
    if (token === '{' || token === '[') depth++
    if (token === '}' || token === ']') depth--
    if (depth > MAX_DEPTH) refuse(`nested deeper than ${MAX_DEPTH} levels`)
  }
  try {
    return JSON.parse(text)
  } catch (cause) {
    const comment = /^\s*(?:\/\/|\/\*)/m.test(text) ? ' JSON has no comments.' : ''
    return refuse(`is no JSON: ${(cause as Error).message}.${comment}`, cause)
  }
}

function pointerTo(path: readonly string[]): string {
  return path.map((step) => `/${step.replaceAll('~', '~0').replaceAll('/', '~1')}`).join('')
}

/** The line of a place, or of what it would be in. */
function lineOf(lines: JsonLines, path: readonly string[]): number | undefined {
  for (let length = path.length; length > 0; length--) {
    const line = lines.lineOf(path.slice(0, length))
    if (line !== undefined) return line
  }
  return undefined
}

function readContract(file: Members, complain: Complain): Contract {
  const { tools, refused } = readTools(file['tools'] as Members, complain)
  const budget: Record<string, number> = { ...DEFAULT_BUDGET }
  for (const [name, limit] of Object.entries((file['budget'] ?? {}) as Members)) {
    if (limit === null) delete budget[name]
    else budget[name] = limit as number
  }
  if (Object.keys(budget).length === 0) complain(['budget'], 'no limit is left; keep at least one')
  const audit = (typeof file['audit'] === 'string' ? { file: file['audit'] } : file['audit']) as Members
  const approvals = file['approvals'] as Members | undefined
  return Object.freeze({
    server: (file['server'] as string | undefined) ?? 'server',
    identity: (file['identity'] as string | undefined) ?? 'writ-mcp',
    user: (file['user'] as string | undefined) ?? 'local',
    task: file['task'] as string | undefined,
    budget: Object.freeze(budget),
    loops: file['loops'] === true,
    tools,
    refused,
    approvals: approvals === undefined ? undefined : readApprovals(approvals),
    audit: Object.freeze({
      file: audit['file'],
      durability: audit['durability'] ?? 'commit',
      signing: audit['signing'],
      rotation: audit['rotation'],
    }) as Contract['audit'],
    pins: file['pins'] as string | undefined,
    maxMessageBytes: (file['maxMessageBytes'] as number | undefined) ?? DEFAULT_MAX_MESSAGE_BYTES,
  })
}

function readApprovals(given: Members): NonNullable<Contract['approvals']> {
  const { folder, webhook, secretEnv, mode = 'wait', timeoutMs = 300_000 } = given
  return Object.freeze({
    folder: folder as string | undefined,
    webhook:
      webhook === undefined
        ? undefined
        : Object.freeze({ url: webhook as string, secretEnv: secretEnv as string }),
    mode: mode as 'wait' | 'retry',
    timeoutMs: timeoutMs as number,
  })
}

function readTools(given: Members, complain: Complain): Pick<Contract, 'tools' | 'refused'> {
  const tools = new Map<string, ToolContract>()
  const refused: string[] = []
  const taken = new Map<string, string>()
  for (const name of Object.keys(given)) {
    const path = ['tools', name]
    const own = readToolName(name)
    const before = own === undefined ? undefined : taken.get(own)
    if (own === undefined && given[name] !== false) complain(path, 'begins with neither a letter nor a digit')
    else if (before !== undefined) complain(path, `would be ${own} in the log, and so would ${before}`)
    else if (own !== undefined) taken.set(own, name)
    const said = given[name]
    if (said === false) refused.push(name)
    else tools.set(name, readTool(said === true ? undefined : (said as Members), path, complain))
  }
  return { tools, refused: Object.freeze(refused) }
}

function readTool(given: Members | undefined, path: readonly string[], complain: Complain): ToolContract {
  const { $approval, $maxCalls, $timeoutMs, $readOnly = false, $show = false, ...rules } = given ?? {}
  return Object.freeze({
    arguments: given === undefined ? undefined : readRules(rules, path, complain),
    approval: $approval as 'always' | undefined,
    maxCalls: $maxCalls as number | undefined,
    timeoutMs: $timeoutMs as number | undefined,
    readOnly: $readOnly as boolean,
    show: $show as boolean | readonly string[],
  })
}
