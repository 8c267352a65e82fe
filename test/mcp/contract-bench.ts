import { mkdirSync, mkdtempSync, realpathSync, rmSync, symlinkSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterEach } from 'vitest'
import { Agent, AuditSink, type Denial, defineTool, type Session } from 'writ'
import { contractAgent, parseContract } from 'writ/mcp'

const folders: string[] = []

afterEach(() => {
  for (const folder of folders.splice(0)) rmSync(folder, { recursive: true, force: true })
})

/** A folder that is gone after the test; links in its own path are followed. */
export function temporaryFolder(): string {
  const folder = realpathSync(mkdtempSync(join(tmpdir(), 'writ-mcp-')))
  folders.push(folder)
  return folder
}

/**
 * `notes` with a file, a folder and links: to the outside, to the inside, to nothing, and in a circle. Beside it
 * `secret.txt` and `notes-2`, which begins with the same name.
 */
export function notesFolder(): { readonly folder: string; readonly notes: string } {
  const folder = temporaryFolder()
  const notes = join(folder, 'notes')
  for (const name of ['notes', 'notes/sub', 'notes-2', 'other']) mkdirSync(join(folder, name))
  for (const name of ['notes/a.txt', 'notes-2/a.txt', 'other/a.txt', 'secret.txt']) {
    writeFileSync(join(folder, name), name)
  }
  symlinkSync('../secret.txt', join(notes, 'link-out'))
  symlinkSync('../other', join(notes, 'folder-out'))
  symlinkSync('sub', join(notes, 'link-in'))
  symlinkSync(join(folder, 'not-yet.txt'), join(notes, 'link-to-nothing'))
  symlinkSync('circle', join(notes, 'circle'))
  return { folder, notes }
}

/** What became of a call: `ran`, or the rules that it breaks with their places. */
export type Verdict = 'ran' | Denial

/** Says what a contract makes of calls. */
export async function governed(
  contract: Readonly<Record<string, unknown>>,
  folder: string,
  use: (call: (tool: string, input: unknown) => Promise<Verdict>, session: Session) => Promise<void>,
): Promise<AuditSink & { readonly lines: readonly string[] }> {
  const audit = AuditSink.memory()
  const { agentOptions } = contractAgent(
    parseContract(JSON.stringify({ audit: 'unused', budget: { denials: null }, ...contract })),
    { folder, audit, tool: (definition) => defineTool({ ...definition, execute: () => 'ran' }) },
  )
  const agent = new Agent(agentOptions)
  await agent.session('alice', async (session) => {
    await use(async (name, input) => {
      const result = await session.dispatch({ name, input })
      return result.ok ? 'ran' : result.denial
    }, session)
  })
  return audit
}

/** The places and the rules of a denial: `/path under`. */
export function broken(verdict: Verdict): string {
  if (verdict === 'ran') return 'ran'
  return (verdict.issues ?? [])
    .map(({ path, code }) => `${path.map((step) => `/${String(step)}`).join('')} ${code}`)
    .join(', ')
}
