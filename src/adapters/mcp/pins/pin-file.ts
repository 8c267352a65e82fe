import { builtin } from '../../../core/runtime.js'
import { RuntimeUnsupported } from '../../../index.js'
import type { PinCheck } from '../pin-check.js'
import { checkPins } from './check-pins.js'
import { nameOf } from './definition.js'
import { formatPins, parsePins } from './parse-pins.js'
import { NO_PINS, type Pins } from './pins.js'
import { PinsUnreadable } from './pins-unreadable.js'

/** What is used of the file system. */
export type PinIo = Pick<
  typeof import('node:fs'),
  'openSync' | 'writeSync' | 'fsyncSync' | 'closeSync' | 'renameSync' | 'unlinkSync' | 'readFileSync'
>

/**
 * Reads a file of pins; without a file, nothing has been accepted.
 *
 * @throws {@link PinsUnreadable} when it is there and cannot be read, or is damaged.
 * @throws {@link RuntimeUnsupported} (ERR_RUNTIME_UNSUPPORTED) where there is no file system.
 */
export function readPins(path: string, io: PinIo = fileSystem()): Pins {
  let bytes: Uint8Array
  try {
    bytes = io.readFileSync(path)
  } catch (cause) {
    if ((cause as { code?: unknown }).code === 'ENOENT') return NO_PINS
    throw new PinsUnreadable(`${path}: ${(cause as Error).message}`, { cause })
  }
  try {
    return parsePins(new TextDecoder('utf-8', { fatal: true }).decode(bytes))
  } catch (cause) {
    const why = cause instanceof PinsUnreadable ? cause.message : 'is no UTF-8'
    throw new PinsUnreadable(`${path}: ${why}`, { cause })
  }
}

/**
 * Puts pins in the place of those before, without an instant in which there are none or half of them.
 *
 * @throws what the system says; then the file is as it was.
 */
export function writePins(path: string, pins: Pins, io: PinIo = fileSystem()): void {
  const temporary = `${path}.new`
  const bytes = new TextEncoder().encode(formatPins(pins))
  let fd: number
  try {
    fd = io.openSync(temporary, 'wx', 0o644)
  } catch (cause) {
    if ((cause as { code?: unknown }).code !== 'EEXIST') throw cause
    // Left from work that was cut off. If somebody else is at it now, theirs fails and this one holds.
    io.unlinkSync(temporary)
    fd = io.openSync(temporary, 'wx', 0o644)
  }
  try {
    try {
      for (let written = 0; written < bytes.length; ) {
        written += io.writeSync(fd, bytes, written, bytes.length - written)
      }
      io.fsyncSync(fd)
    } finally {
      io.closeSync(fd)
    }
    io.renameSync(temporary, path)
  } catch (cause) {
    unlinkQuietly(io, temporary)
    throw cause
  }
  syncFolder(io, path)
}

function unlinkQuietly(io: PinIo, path: string): void {
  try {
    io.unlinkSync(path)
  } catch {
    // What is left lies about, and is overwritten the next time.
  }
}

/** The new name is on stable storage once its folder is. Windows has no such thing. */
function syncFolder(io: PinIo, path: string): void {
  const folder = builtin<{ dirname(path: string): string }>('path')?.dirname(path) ?? '.'
  let fd: number
  try {
    fd = io.openSync(folder, 'r')
  } catch {
    return
  }
  try {
    io.fsyncSync(fd)
  } catch (cause) {
    if ((cause as { code?: unknown }).code !== 'EPERM') throw cause
  } finally {
    io.closeSync(fd)
  }
}

/**
 * The check of a file of pins, for `govern`. The file is read at each check, so that what is accepted meanwhile
 * counts; while it cannot be read, every tool is refused.
 */
export function filePins(path: string, io: PinIo = fileSystem()): PinCheck {
  return Object.freeze<PinCheck>({
    check: (server, tools) => {
      let pins: Pins
      try {
        pins = readPins(path, io)
      } catch (cause) {
        const why = `the pins cannot be read: ${(cause as Error).message}`
        return tools.map((tool) => ({ name: nameOf(tool) ?? '', verdict: 'changed', why }))
      }
      return checkPins(pins, server, tools)
        .slice(0, tools.length)
        .map(({ name, verdict, why }) => ({
          name,
          // What was removed comes after those that are listed.
          verdict: verdict === 'removed' ? 'changed' : verdict,
          ...(why === undefined ? {} : { why }),
        }))
    },
  })
}

function fileSystem(): PinIo {
  const fs = builtin<PinIo>('fs')
  if (fs === undefined) throw new RuntimeUnsupported('pins', 'a file system')
  return fs
}
