// Keeps the README true: its code comes from regions of the example files, its output from running them.
//
//   node scripts/sync-readme.mjs [--check] [README.md]
//
// A comment before a fenced block says where the block comes from:
//
//   <!-- code: examples/quickstart.ts#quickstart -->   the lines between `// #region` and `// #endregion`
//   <!-- code: examples/mcp-filesystem/writ.config.json -->   the whole file
//   <!-- output: show -->                              one of OUTPUTS below
//
// Blocks of shell commands (```sh) need no comment; every other block does. Ids, hashes, times and process
// numbers differ in every run, so an output is replaced only when it differs in anything else. With --check
// nothing is written: what differs is listed, and the exit status is 1.
import { spawnSync } from 'node:child_process'
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'

const REPOSITORY = fileURLToPath(new URL('..', import.meta.url))
const CLI = join(REPOSITORY, 'src/cli/main.ts')
const MARKER = /^<!-- (code|output): ([\w./-]+)(?:#([\w-]+))? -->$/

/** What the README shows of a run of the quickstart: how to get it, in the folder of its log. */
const OUTPUTS = {
  record: (folder) => {
    const lines = readFileSync(join(folder, 'audit.jsonl'), 'utf8').split('\n')
    return lines.find((line) => line.includes('"event":"tool_call"')) ?? ''
  },
  show: (folder) => run(folder, CLI, 'show', 'audit.jsonl'),
  verify: (folder) => run(folder, CLI, 'verify', 'audit.jsonl'),
}

const args = process.argv.slice(2)
const check = args.includes('--check')
const readme = args.find((arg) => !arg.startsWith('--')) ?? join(REPOSITORY, 'README.md')
const folder = mkdtempSync(join(tmpdir(), 'writ-readme-'))
const faults = []
try {
  run(folder, join(REPOSITORY, 'examples/quickstart.ts'))
  const before = readFileSync(readme, 'utf8')
  const after = synced(before)
  if (!check && after !== before) writeFileSync(readme, after)
} finally {
  rmSync(folder, { recursive: true, force: true })
}
for (const fault of faults) console.error(`sync-readme: ${fault}`)
process.exitCode = faults.length === 0 ? 0 : 1

/** The README with every marked block as it should be. */
function synced(text) {
  const lines = text.split('\n')
  const out = []
  for (let index = 0; index < lines.length; index++) {
    out.push(lines[index])
    if (!lines[index].startsWith('```')) continue
    const end = lines.indexOf('```', index + 1)
    if (end < 0) {
      faults.push(`line ${index + 1}: the block has no end`)
      continue
    }
    const shown = lines.slice(index + 1, end).join('\n')
    out.push(...blockOf(lines[index - 1], lines[index], shown, index).split('\n'), '```')
    index = end
  }
  return out.join('\n')
}

function blockOf(comment, fence, shown, index) {
  const [, kind, source, name] = MARKER.exec(comment) ?? []
  const place = `line ${index + 1}`
  if (kind === undefined) {
    if (fence !== '```sh') faults.push(`${place}: a block ${fence} that says not where it comes from`)
    return shown
  }
  const wanted = kind === 'code' ? regionOf(source, name) : OUTPUTS[source]?.(folder).trimEnd()
  if (wanted === undefined) {
    faults.push(`${place}: there is no ${kind} ${source}${name === undefined ? '' : `#${name}`}`)
    return shown
  }
  const isSame = kind === 'code' ? shown === wanted : normalised(shown) === normalised(wanted)
  if (isSame) return shown
  if (check) faults.push(`${place}: differs from ${kind} ${source}${name === undefined ? '' : `#${name}`}`)
  return wanted
}

/** The lines of a region, moved to the left as far as they go; without a name, the whole file. */
function regionOf(path, name) {
  if (name === undefined) return readFileSync(join(REPOSITORY, path), 'utf8').trimEnd()
  const lines = readFileSync(join(REPOSITORY, path), 'utf8').split('\n')
  const start = lines.findIndex((line) => line.trim() === `// #region ${name}`)
  const end = lines.findIndex((line) => line.trim() === `// #endregion ${name}`)
  if (start < 0 || end < start) return undefined
  const region = lines.slice(start + 1, end)
  const indent = Math.min(...region.filter((line) => line !== '').map((line) => line.search(/\S/)))
  return region
    .map((line) => line.slice(indent))
    .join('\n')
    .trim()
}

/** What stays the same from run to run. */
function normalised(output) {
  return output
    .replace(/\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z/g, '<time>')
    .replace(/\b[0-9a-f]{64}\b/g, '<hash>')
    .replace(/\b\d+ (?:s|min|h|d) ago\b/g, '<age> ago')
    .replace(/\b[0-9A-HJKMNP-TV-Z]{26}\b/g, '<id>')
    .replace(/^(<time> +)[0-9A-HJKMNP-TV-Z]{6}\b/gm, '$1<id>')
    .replace(/(\bprocess |\bbytes +|"wall_ms":|\bafter (?=[\d.]+ ms))[\d.]+/g, '$1<number>')
}

function run(cwd, ...command) {
  const { stdout, stderr, error, signal } = spawnSync(
    process.execPath,
    ['--import', import.meta.resolve('tsx'), ...command],
    {
      cwd,
      encoding: 'utf8',
      env: { ...process.env, WRIT_EXAMPLE_DIR: folder, TSX_TSCONFIG_PATH: join(REPOSITORY, 'tsconfig.json') },
    },
  )
  if (error !== undefined || signal !== null || stderr !== '') {
    faults.push(`${command.join(' ')}: ${error?.message ?? signal ?? stderr}`)
  }
  return stdout
}
