import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'

/**
 * Importing this moves the process into a temporary folder that is removed when it ends, so that an example
 * can write `./audit.jsonl` and leave nothing behind. `WRIT_EXAMPLE_DIR` names a folder to use and keep.
 */
const kept = process.env['WRIT_EXAMPLE_DIR'] || undefined
const folder = kept ?? mkdtempSync(join(tmpdir(), 'writ-example-'))

process.chdir(folder)
process.on('exit', () => {
  process.chdir(tmpdir())
  if (kept === undefined) rmSync(folder, { recursive: true, force: true })
})
