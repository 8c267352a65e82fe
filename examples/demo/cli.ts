import { spawnSync } from 'node:child_process'
import { fileURLToPath } from 'node:url'

const REPOSITORY = fileURLToPath(new URL('../..', import.meta.url))

/** Runs the real command line, as `npx tsx src/cli/main.ts` would. */
export function writ(...args: string[]): { readonly status: number | null; readonly output: string } {
  const { status, stdout, stderr } = spawnSync(
    process.execPath,
    ['--import', 'tsx', 'src/cli/main.ts', ...args],
    {
      cwd: REPOSITORY,
      encoding: 'utf8',
    },
  )
  return { status, output: stdout + stderr }
}
