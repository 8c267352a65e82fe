import { spawn } from 'node:child_process'
import { fileURLToPath } from 'node:url'

export const REPOSITORY: string = fileURLToPath(new URL('../..', import.meta.url))

export interface Run {
  readonly status: number | null
  readonly stdout: string
  readonly stderr: string
}

/** Runs a file of the repository in a Node process of its own, as `npx tsx` does. */
export function runNode(args: readonly string[], env: Readonly<Record<string, string>> = {}): Promise<Run> {
  return new Promise((resolve, reject) => {
    const child = spawn(process.execPath, ['--import', 'tsx', ...args], {
      cwd: REPOSITORY,
      env: { ...process.env, ...env },
      stdio: ['ignore', 'pipe', 'pipe'],
    })
    const output = { stdout: '', stderr: '' }
    for (const name of ['stdout', 'stderr'] as const) {
      child[name].setEncoding('utf8').on('data', (text: string) => {
        output[name] += text
      })
    }
    child.on('error', reject)
    child.on('close', (status) => resolve({ status, ...output }))
  })
}
