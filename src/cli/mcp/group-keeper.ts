import { spawn } from 'node:child_process'
import type { Socket } from 'node:net'
import { platform } from 'node:process'

/**
 * Waits until its input says a word or ends. Ended without a word: whoever held it was killed, and what it
 * had started is given a moment to see the end of its own input, then ended.
 */
const SCRIPT =
  'read -r word && exit 0; sleep 1; kill -s TERM -- "-$1" 2>/dev/null; sleep 1; kill -s KILL -- "-$1" 2>/dev/null; exit 0'

/**
 * Has a process group ended when this process is killed, which by itself can no longer do it: a shell of a
 * few hundred kilobytes holds the other end of a pipe. Where there is no shell, a server that does not end
 * with its input is left behind.
 *
 * @returns ends the watch, and nothing else.
 */
export function keepGroup(group: number): () => void {
  if (platform === 'win32') return () => undefined
  const keeper = spawn('/bin/sh', ['-c', SCRIPT, 'writ-mcp-keeper', String(group)], {
    stdio: ['pipe', 'ignore', 'ignore'],
    // Not of the group that a terminal interrupts, nor of the one that it ends.
    detached: true,
    env: { PATH: '/usr/bin:/bin' },
  })
  keeper.on('error', () => undefined)
  keeper.stdin.on('error', () => undefined)
  keeper.unref()
  ;(keeper.stdin as Socket).unref()
  return () => keeper.stdin.end('done\n')
}
