import type { ApprovalStore } from '../contract/approval.js'
import { describe } from '../core/describe.js'
import { sha256Hex } from '../core/digest.js'
import { RuntimeUnsupported } from '../core/errors.js'
import { builtin } from '../core/runtime.js'

/**
 * Remembers in a folder which suspended calls have been decided, for every process that uses the folder. One
 * file for each, created exclusively and synced with its folder, so that a power cut forgets none.
 *
 * The folder has to be there, on a file system where exclusive creation is exclusive. Files are never removed;
 * one whose name was made before the longest `approvalTokenTtlMs` ago may be.
 *
 * @throws TypeError when `path` is no path.
 * @throws {@link RuntimeUnsupported} (ERR_RUNTIME_UNSUPPORTED) where there is no file system.
 */
export function folderApprovalStore(path: string): ApprovalStore {
  if (typeof path !== 'string' || path === '') {
    throw new TypeError(`folderApprovalStore: expected a path, got ${describe(path)}`)
  }
  const fs = builtin<typeof import('node:fs')>('fs')
  if (fs === undefined) throw new RuntimeUnsupported('folderApprovalStore', 'a file system')
  return Object.freeze({
    claim: (id: string, expiresAtMs: number): boolean => {
      let file: number
      try {
        file = fs.openSync(`${path}/${sha256Hex(id)}`, 'wx', 0o600)
      } catch (error) {
        if ((error as { code?: unknown }).code === 'EEXIST') return false
        throw error
      }
      try {
        fs.writeSync(file, `${JSON.stringify({ id, expires_at: new Date(expiresAtMs).toISOString() })}\n`)
        fs.fsyncSync(file)
      } finally {
        fs.closeSync(file)
      }
      syncFolder(fs, path)
      return true
    },
  })
}

function syncFolder(fs: typeof import('node:fs'), path: string): void {
  const folder = fs.openSync(path, 'r')
  try {
    fs.fsyncSync(folder)
  } finally {
    fs.closeSync(folder)
  }
}
