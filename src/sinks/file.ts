import type { AuditSink } from '../audit/sink.js'
import { describe } from '../core/describe.js'
import { RuntimeUnsupported } from '../core/errors.js'
import { readOptions } from '../core/guards.js'
import { builtin } from '../core/runtime.js'
import type { Durability } from './durability.js'
import type { FileIo } from './file-open.js'
import { FileSink } from './file-sink.js'
import { type RotationOptions, readRotation } from './rotation.js'
import { canRotate } from './segments.js'
import { readSigning, type SigningOptions } from './signing-options.js'

export interface FileSinkOptions {
  /** Default `commit`. */
  readonly durability?: Durability
  /** Signs what the log holds, at intervals, so that a cut or rewritten log shows. */
  readonly signing?: SigningOptions
  /** Goes on in a new file when one is large or old enough, with the chain kept. Default: one file. */
  readonly rotation?: RotationOptions
}

const DURABILITIES: readonly unknown[] = ['commit', 'interval', 'os'] satisfies Durability[]

/**
 * Appends to a file, one line per record.
 *
 * @param path `{pid}` in it becomes the process id, for processes that would otherwise share a file.
 * @throws TypeError or RangeError for an option that is unknown or not usable.
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
  const given = readOptions('AuditSink.file', options, ['durability', 'signing', 'rotation'])
  const { durability = 'commit' } = given
  if (!DURABILITIES.includes(durability)) {
    throw new RangeError(
      `AuditSink.file: durability is one of ${DURABILITIES.join(', ')}, got ${describe(durability)}`,
    )
  }
  const { pid } = (globalThis as { process?: { pid?: number } }).process ?? {}
  const named = (text: string): string => text.replaceAll('{pid}', String(pid))
  const own = named(path)
  if (given.rotation !== undefined && !canRotate(own)) {
    throw new RangeError(
      `AuditSink.file: ${own} looks like a finished file of another log; name it otherwise to rotate`,
    )
  }
  return new FileSink(own, durability as Durability, {
    io,
    path: builtin<{ resolve(path: string): string }>('path')?.resolve(own) ?? own,
    signing: given.signing === undefined ? undefined : readSigning(given.signing, named),
    rotation: given.rotation === undefined ? undefined : readRotation(given.rotation),
  })
}
