import { spawnSync } from 'node:child_process'
import { createHash } from 'node:crypto'
import fs from 'node:fs'
import { syncBuiltinESMExports } from 'node:module'
import { tmpdir } from 'node:os'
import { basename, dirname, join } from 'node:path'
import { afterAll, expect } from 'vitest'
import { parseSegmentName, type VerifyReport, verifyLog } from 'writ/verify'
import { hasCommand } from './commands.js'

// The setup of every test file. Tests remove the logs that they wrote. Right before that a log is copied, and when
// the test file is through, Writ and scripts/verify.sh have to say the same of each.

const SCRIPT = join(import.meta.dirname, '../../scripts/verify.sh')
const TOOLS = 'jq awk sha256sum split truncate'

const { rmSync } = fs
const { rm } = fs.promises

/** Where the copies are: a folder for each log, with its files named by their order. */
let copies: string | undefined
/** What the logs were called, in the order of their copies, by the hash of their bytes. */
const kept = new Map<string, string>()

fs.rmSync = (path, options) => {
  keepWhatCanBeRead(String(path))
  rmSync(path, options)
}
fs.promises.rm = (path, options) => {
  keepWhatCanBeRead(String(path))
  return rm(path, options)
}
// For those who import them by their names.
syncBuiltinESMExports()

afterAll(async () => {
  if (copies === undefined) return
  try {
    if (hasCommand('bash', '-c', `type ${TOOLS}`)) await compare(copies, [...kept.values()])
    else
      console.warn(
        `scripts/verify.sh needs bash and ${TOOLS}: ${kept.size} logs of these tests have no second opinion`,
      )
  } finally {
    rmSync(copies, { recursive: true, force: true })
  }
}, 300_000)

/** The logs that are going to be checked so far, as they were called. */
export const keptLogs = (): string[] => [...kept.values()]

function keepWhatCanBeRead(path: string): void {
  try {
    keepLogs(path)
  } catch (cause) {
    if ((cause as NodeJS.ErrnoException).code !== 'EACCES') throw cause
  }
}

/** Copies the logs at or below a path, each once. */
function keepLogs(path: string): void {
  for (const [log, files] of logsAt(path)) {
    const hash = createHash('sha256')
    for (const file of files) hash.update(fs.readFileSync(file)).update('\n\n')
    const id = hash.digest('hex')
    if (kept.has(id)) continue
    copies ??= fs.mkdtempSync(join(tmpdir(), 'writ-kept-'))
    const copy = join(copies, inOrder(kept.size))
    fs.mkdirSync(copy)
    for (const [index, file] of files.entries()) fs.copyFileSync(file, join(copy, inOrder(index)))
    kept.set(id, log)
  }
}

const inOrder = (index: number): string => String(index).padStart(6, '0')

/** The files of each log at or below a path, oldest first. */
function logsAt(path: string): Map<string, string[]> {
  const logs = new Map<string, string[]>()
  for (const file of filesAt(path).sort()) {
    const log = join(dirname(file), parseSegmentName(basename(file))?.file ?? basename(file))
    logs.set(log, [...(logs.get(log) ?? []), file])
  }
  return logs
}

function filesAt(path: string): string[] {
  const stat = fs.lstatSync(path, { throwIfNoEntry: false })
  if (stat?.isDirectory() !== true) return stat?.isFile() === true && path.endsWith('.jsonl') ? [path] : []
  return fs.readdirSync(path, { recursive: true, withFileTypes: true }).flatMap((entry) => {
    return entry.isFile() && entry.name.endsWith('.jsonl') ? [join(entry.parentPath, entry.name)] : []
  })
}

/** A log, the files of its copy, and what the script has to say of it. */
interface Opinion {
  readonly log: string
  readonly files: readonly string[]
  readonly expected: string
}

async function compare(folder: string, names: readonly string[]): Promise<void> {
  const sound: Opinion[] = []
  const others: Opinion[] = []
  for (const [index, log] of names.entries()) {
    const copy = join(folder, inOrder(index))
    const files = fs
      .readdirSync(copy)
      .sort()
      .map((file) => join(copy, file))
    const report = await verifyLog(bytesOf(files))
    const { fault, first, size, head } = report
    if (fault === undefined && first === 0) sound.push({ log, files, expected: `OK ${size} head ${head}` })
    else others.push({ log, files, expected: objectionTo(report) })
  }
  // It goes through many good logs in one run, and ends at the first bad one.
  const said = sound.length === 0 ? [] : ask(sound)
  const differences = sound.flatMap(({ log, expected }, index) => {
    return said[index] === expected ? [] : [{ log, said: said[index], expected }]
  })
  for (const { log, files, expected } of others) {
    const [objection = ''] = ask([{ files }])
    if (!new RegExp(expected).test(objection)) differences.push({ log, said: objection, expected })
  }
  expect(differences).toEqual([])
}

/** What the script has to say of a log that Writ finds a fault in. */
function objectionTo({ fault, first }: VerifyReport): string {
  // It knows no log whose oldest files are gone, and refuses NUL bytes before it looks at any line.
  return first > 0
    ? '^BAD line 0: its prev_hash'
    : `^BAD line ${fault?.seq}: |^BAD: the log has NUL bytes| empty`
}

/** The lines that the script prints of these logs. */
function ask(logs: readonly Pick<Opinion, 'files'>[]): string[] {
  const files = logs.flatMap((log, index) => (index === 0 ? log.files : ['--', ...log.files]))
  const { stdout, stderr, status } = spawnSync('bash', [SCRIPT, ...files], { encoding: 'utf8' })
  const said = stdout + stderr
  if ((status === 0) !== said.trimEnd().split('\n').at(-1)?.startsWith('OK '))
    return [`${said} (exit status ${status})`]
  return said.split('\n')
}

async function* bytesOf(files: readonly string[]): AsyncGenerator<Uint8Array> {
  for (const file of files) yield* fs.createReadStream(file)
}
