import { spawnSync } from 'node:child_process'

/** Runs a command of the system and returns what it says, whatever its exit status. */
export function command(
  name: string,
  args: readonly string[],
  env: Readonly<Record<string, string>> = {},
): string {
  const { stdout, error } = spawnSync(name, args, { encoding: 'utf8', env: { ...process.env, ...env } })
  if (error !== undefined) throw error
  return stdout
}

/** True where the system has this command and it works with these arguments. */
export function hasCommand(name: string, ...args: string[]): boolean {
  return spawnSync(name, args, { stdio: 'ignore' }).status === 0
}
