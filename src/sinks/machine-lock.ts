import { builtin } from '../core/runtime.js'

interface Listener {
  readonly listening: boolean
  on(event: 'error' | 'connection', callback: (value: { destroy?(): void }) => void): this
  listen(options: { path: string; exclusive: boolean }): this
  unref(): this
  close(): this
}

/** What a name of ours stands for: free again when it is released, and when its holder is gone. */
export interface MachineLock {
  release(): void
}

/** Where there is no such lock, the process itself is all that is watched. */
const UNWATCHED: MachineLock = Object.freeze({ release: () => undefined })

/**
 * Takes a lock that holds against every process and worker thread in the same network namespace: the name
 * of an abstract unix socket, which the kernel frees the moment its holder is gone, however it went. Process
 * ids, times and files left behind say nothing of the kind.
 *
 * Linux alone has such names; elsewhere nothing is locked.
 *
 * @returns `undefined` when somebody holds it, or when the kernel refuses: nobody may write then either.
 * @see unix(7), "abstract"
 */
export function lockOnMachine(name: string): MachineLock | undefined {
  const platform = (globalThis as { process?: { platform?: string } }).process?.platform
  const net = builtin<{ createServer(): Listener }>('net')
  if (platform !== 'linux' || net === undefined) return UNWATCHED
  const server = net.createServer()
  // Binding happens within listen(); the error that says it failed comes a tick later, and is known by then.
  server.on('error', () => undefined)
  server.on('connection', (socket) => socket.destroy?.())
  server.listen({ path: `\0${name}`, exclusive: true }).unref()
  return server.listening ? { release: () => void server.close() } : undefined
}
