import fs from 'node:fs'
import type { FileIo } from '../../src/sinks/file-open.js'
import { type LockHost, thisHost } from '../../src/sinks/lock-host.js'

/** A machine without sockets that tell who lives: macOS, Windows, another host. */
export const ELSEWHERE: Partial<LockHost> = {
  host: 'far-away',
  scope: undefined,
  takeSocket: () => ({ release: () => undefined }),
}

/** The file system, as it looks to a writer on such a machine. */
export function seenFrom(place: Partial<LockHost>, io: FileIo = fs): FileIo {
  return { ...io, lockHost: { ...thisHost(), ...place } }
}
