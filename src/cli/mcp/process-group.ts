import { type ChildProcess, spawn } from 'node:child_process'
import { kill, platform } from 'node:process'

/** Signals a process that leads a group, and everything in the group, also after the leader has ended. */
export function endGroup({ pid }: ChildProcess, signal: 'SIGTERM' | 'SIGKILL'): void {
  if (pid === undefined) return
  if (platform === 'win32') {
    spawn('taskkill', ['/pid', String(pid), '/T', '/F'], { stdio: 'ignore' }).on('error', () => undefined)
    return
  }
  try {
    kill(-pid, signal)
  } catch {
    // Nobody is left in it.
  }
}
