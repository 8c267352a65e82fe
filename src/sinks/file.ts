import type { AuditSink } from '../audit/sink.js'
import { describe } from '../core/describe.js'
import { RuntimeUnsupported } from '../core/errors.js'
import { readOptions } from '../core/guards.js'
import { builtin } from '../core/runtime.js'
import type { Durability } from './durability.js'
import type { FileIo } from './file-open.js'
import { FileSink } from './file-sink.js'

export interface FileSinkOptions {
  /** Default `commit`. */
  readonly durability?: Durability
}

const DURABILITIES: readonly unknown[] = ['commit', 'interval', 'os'] satisfies Durability[]

/**
 * Appends to a file, one line per record.
 *
 * @param path `{pid}` in it becomes the process id, for processes that would otherwise share a file.
 * @throws {@link RuntimeUnsupported} (ERR_RUNTIME_UNSUPPORTED) where there is no file system.
 */
export function fileSink(
  path: string,
  options: FileSinkOptions = {},
  io: FileIo | undefined = builtin<FileIo>('fs'),
): AuditSink {
  if (io === undefined) throw new RuntimeUnsupported('AuditSink.file', 'a file system (node:fs)')
  if (typeof path !== 'string' || path.length === 0 || path.includes('\0')) {
    throw new TypeError(`AuditSink.file: expected a path, got ${describe(path)}`)
  }
  const { durability = 'commit' } = readOptions('AuditSink.file', options, ['durability'])
  if (!DURABILITIES.includes(durability)) {
    throw new RangeError(
      `AuditSink.file: durability is one of ${DURABILITIES.join(', ')}, got ${describe(durability)}`,
    )
  }
  const pid = (globalThis as { process?: { pid?: number } }).process?.pid
  return new FileSink(path.replaceAll('{pid}', String(pid)), durability as Durability, io)
}
