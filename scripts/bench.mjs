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
  const outfile = join(folder, 'bench.mjs')
  const entry = fileURLToPath(new URL('../bench/main.ts', import.meta.url))
  buildSync({
    entryPoints: [entry],
    outfile,
    bundle: true,
    platform: 'node',
    format: 'esm',
    target: 'node20.19',
  })
  const run = spawnSync(process.execPath, ['--expose-gc', outfile, ...process.argv.slice(2)], {
    stdio: 'inherit',
  })
  process.exitCode = run.status ?? 1
} finally {
  rmSync(folder, { recursive: true })
}
