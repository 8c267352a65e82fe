// Runs the benchmarks, bundled as a program that uses the package would be.
//
//   node scripts/bench.mjs [quick | records to verify]
//
// Not through tsx: to keep the names of functions, it wraps every closure at run time, which would be half of
// the time of a tool call.
import { spawnSync } from 'node:child_process'
import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { buildSync } from 'esbuild'

const folder = mkdtempSync(join(tmpdir(), 'writ-bench-'))
try {
  const bundle = (entry, name) => {
    const outfile = join(folder, name)
    buildSync({
      entryPoints: [fileURLToPath(new URL(`../${entry}`, import.meta.url))],
      outfile,
      bundle: true,
      platform: 'node',
      format: 'esm',
      target: 'node20.19',
    })
    return outfile
  }
  // What is measured as a program, beside what measures it.
  bundle('src/cli/main.ts', 'writ.mjs')
  const outfile = bundle('bench/main.ts', 'bench.mjs')
  const run = spawnSync(process.execPath, ['--expose-gc', outfile, ...process.argv.slice(2)], {
    stdio: 'inherit',
  })
  process.exitCode = run.status ?? 1
} finally {
  rmSync(folder, { recursive: true })
}
