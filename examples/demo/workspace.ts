import { cp, mkdir, mkdtemp, realpath } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'

const DATA = fileURLToPath(new URL('../data', import.meta.url))

/** The folders the demo works in, all below one temporary folder. */
export interface Workspace {
  readonly root: string
  /** What the agent may read. */
  readonly inbox: string
  /** What the agent may write. */
  readonly summaries: string
  /** What it may not read; the payroll lies here. */
  readonly private: string
  /** What it may not write: a mail job would send whatever lies here. */
  readonly outbox: string
  readonly log: string
}

/** Copies the documents to a fresh folder, or to the one that is given. */
export async function prepareWorkspace(folder?: string): Promise<Workspace> {
  if (folder !== undefined) await mkdir(folder, { recursive: true })
  const root = await realpath(folder ?? (await mkdtemp(join(tmpdir(), 'writ-demo-'))))
  const workspace = {
    root,
    inbox: join(root, 'inbox'),
    summaries: join(root, 'summaries'),
    private: join(root, 'private'),
    outbox: join(root, 'outbox'),
    log: join(root, 'audit.jsonl'),
  }
  await cp(DATA, root, { recursive: true })
  await mkdir(workspace.summaries, { recursive: true })
  await mkdir(workspace.outbox, { recursive: true })
  return workspace
}
