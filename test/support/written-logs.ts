import { existsSync, readdirSync, readFileSync } from 'node:fs'
import { basename, dirname, join } from 'node:path'
import { CompactTree, leafHash, openCheckpoint, type VerifierKey } from 'writ/verify'
import { keyOf } from './signed-logs.js'

export const KEY = keyOf()
export const OTHER_KEY = keyOf(undefined, 2)

/** The newest checkpoint of a log, under its key: records and root, in hexadecimal. */
export async function checkpointOf(
  path: string,
  key: VerifierKey = KEY.verifierKey,
): Promise<{ size: number; root: string; origin: string }> {
  const note = readFileSync(`${path}.checkpoint`, 'utf8')
  const opened = await openCheckpoint(note, { keys: [key], origin: note.slice(0, note.indexOf('\n')) })
  if (!opened.ok) throw new TypeError(opened.refusal.detail)
  const { size, root, origin } = opened.value.checkpoint
  return { size, root: Buffer.from(root).toString('hex'), origin }
}

/** Every checkpoint in the history of a log, oldest first. */
export function historyOf(path: string): string[] {
  if (!existsSync(`${path}.checkpoints`)) return []
  // Each is followed by an empty line, and has one between its text and its signatures.
  const parts = readFileSync(`${path}.checkpoints`, 'utf8').split('\n\n')
  const notes: string[] = []
  for (let index = 0; index + 1 < parts.length; index += 2)
    notes.push(`${parts[index]}\n\n${parts[index + 1]}\n`)
  return notes
}

/** How many records a checkpoint is of. */
export const sizeOf = (note: string): number => Number(note.split('\n')[1])

/** The files of a log, in their order: those that are finished, and the one that is written to. */
export function segmentsOf(path: string): string[] {
  const stem = basename(path, '.jsonl')
  const finished = readdirSync(dirname(path))
    .filter((name) => name.startsWith(`${stem}.0`) && name.endsWith('.jsonl'))
    .sort()
  return [...finished.map((name) => join(dirname(path), name)), path]
}

/** All lines of a log, of all its files. */
export const allLines = (path: string): string[] =>
  segmentsOf(path).flatMap((file) => readFileSync(file, 'utf8').split('\n').slice(0, -1))

/** The root over lines, in hexadecimal. */
export function rootOf(lines: readonly string[]): string {
  const tree = new CompactTree()
  for (const line of lines) tree.append(leafHash(line))
  return Buffer.from(tree.root()).toString('hex')
}
