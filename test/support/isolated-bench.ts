import { mkdtempSync, readFileSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import { afterEach } from 'vitest'
import {
  Agent,
  type AuditRecord,
  AuditSink,
  type Budget,
  defineTool,
  type Tool,
  type ToolContext,
} from 'writ'
import { type IsolatedOptions, type IsolatedTool, isolated } from 'writ/isolated'
import { anything } from './tools.js'

/** Long enough for every call of a test that is not meant to be stopped. */
export const PLENTY_MS = 15_000

export const TOOLS: URL = new URL('./isolated-tools-child.mjs', import.meta.url)

const open: IsolatedTool<unknown>[] = []
const folders: string[] = []

afterEach(async () => {
  await Promise.all(open.splice(0).map((tool) => tool.close()))
  for (const folder of folders.splice(0)) rmSync(folder, { recursive: true, force: true })
})

/** An isolated function of the module of tools, closed after the test. */
export function isolate(name: string, options: IsolatedOptions = {}): IsolatedTool<unknown> {
  const tool = isolated(TOOLS, { name, ...options })
  open.push(tool)
  return tool
}

type AnyTool = Tool<typeof anything, unknown>

export interface IsolatedBench {
  readonly agent: Agent<{ readonly tool: AnyTool }>
  readonly payloads: (event: string) => readonly AuditRecord['payload'][]
  /** Calls the tool in a session of its own: in the kind of session that the test is about. */
  readonly call: (input?: unknown, timeoutMs?: number) => Promise<unknown>
}

/** An agent on the real clock, with one tool. */
export function isolatedBench(
  execute: IsolatedTool<unknown>,
  kind: 'session' | 'sessionSync' = 'session',
  budget: Budget = { wallMs: PLENTY_MS },
): IsolatedBench {
  const sink = AuditSink.memory()
  const tool: AnyTool = defineTool({ inputSchema: anything, execute })
  const agent = new Agent({ identity: 'isolated-bot/v1', budget, tools: { tool }, audit: sink })
  return {
    agent,
    payloads: (event) => sink.records.filter((one) => one.event === event).map(({ payload }) => payload),
    call: async (input = {}, timeoutMs = PLENTY_MS) =>
      kind === 'session'
        ? agent.session('alice', (s) => s.callTool('tool', input, { timeoutMs }))
        : agent.sessionSync('alice', (s) => s.callTool('tool', input, { timeoutMs })),
  }
}

/** A context as a session gives it, for calls without one. */
export function contextOf(
  options: { readonly signal?: AbortSignal; readonly sync?: boolean } = {},
): ToolContext {
  const { signal = new AbortController().signal, sync = false } = options
  const session = { id: 'session', principal: 'bot@session', user: 'alice', task: undefined }
  return {
    callId: 'session.1',
    modelCallId: undefined,
    session: session as ToolContext['session'],
    signal,
    sync,
    remainingMs: () => PLENTY_MS,
  }
}

/** A path in a folder that is removed after the test. */
export function scratchFile(name: string): string {
  const folder = mkdtempSync(join(tmpdir(), 'writ-isolated-'))
  folders.push(folder)
  return join(folder, name)
}

/** Waits for something that another thread or process brings about. */
export async function until<T>(look: () => T | undefined | false): Promise<T> {
  for (;;) {
    const seen = look()
    if (seen !== undefined && seen !== false) return seen
    await sleep(5)
  }
}

/** What a worker wrote into a file, once it has. */
export function written(path: string): Promise<string> {
  return until(() => {
    try {
      return readFileSync(path, 'utf8') || undefined
    } catch {
      return undefined
    }
  })
}

/** Whether a process is there and no zombie. */
export function isAlive(pid: number): boolean {
  try {
    process.kill(pid, 0)
  } catch {
    return false
  }
  try {
    return !/^State:\s+[ZX]/m.test(readFileSync(`/proc/${pid}/status`, 'utf8'))
  } catch {
    return process.platform !== 'linux'
  }
}
