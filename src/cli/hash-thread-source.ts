import { SEAL_LENGTH } from '../audit/record.js'

/** Where things are in the memory that the two threads share, for each chunk; all numbers are of 32 bits. */
interface Layout {
  /** Chunks that may be on their way at once: one that is checked, the next one, and one to be filled. */
  readonly slots: number
  /** Bytes of the longest chunk. */
  readonly chunkBytes: number
  /** A shorter line is no record, so that nobody asks for its hash. */
  readonly shortestLine: number
  /** 1 as long as the chunk is the second thread's, 0 when it waits for another. */
  readonly isGiven: number
  /** Bytes of the chunk. */
  readonly length: number
  /** How many entries there are. */
  readonly found: number
  /** 1 when no more are wanted. */
  readonly stop: number
  /** 1 when leaf hashes are. */
  readonly wantsLeaves: number
  /** Where the entries begin. */
  readonly heads: number
  /** Numbers of one entry: where a line begins, whether it is sealed, and eight of its leaf hash. */
  readonly entry: number
  /** Sealed, without its leaf hash and with it; 0 is not sealed. */
  readonly sealed: number
  readonly withLeaf: number
}

export const LAYOUT: Layout = Object.freeze({
  slots: 3,
  chunkBytes: 1024 * 1024,
  shortestLine: 160,
  isGiven: 0,
  length: 1,
  found: 2,
  stop: 3,
  wantsLeaves: 4,
  heads: 8,
  entry: 10,
  sealed: 1,
  withLeaf: 2,
})

/**
 * The second thread, as a script: a worker of its own file would have to be found beside every bundle.
 *
 * It takes a chunk at a time and goes through its lines from the last to the first, while the checks go from
 * the first to the last: where they meet, all of the chunk is hashed, however fast either of them is.
 */
export const HASH_THREAD_SOURCE: string = `'use strict'
const { workerData } = require('node:worker_threads')
const { hash } = require('node:crypto')
const { shared, slotBytes, numbersBytes, layout } = workerData
const LF = 10
const SEAL_LENGTH = ${SEAL_LENGTH}
// 64 digits and what closes the line.
const HASH_AT = 66

for (let slot = 0; ; slot = (slot + 1) % layout.slots) {
  const at = slot * slotBytes
  const numbers = new Int32Array(shared, at, numbersBytes / 4)
  Atomics.wait(numbers, layout.isGiven, 0)
  const bytes = Buffer.from(shared, at + numbersBytes, numbers[layout.length])
  let end = bytes.lastIndexOf(LF)
  for (let found = 0; end > 0 && Atomics.load(numbers, layout.stop) === 0; ) {
    const before = bytes.lastIndexOf(LF, end - 1)
    if (before === -1) break
    const start = before + 1
    if (end - start >= layout.shortestLine) {
      const entry = layout.heads + found * layout.entry
      const declared = bytes.latin1Slice(end - HASH_AT, end - 2)
      const isSealed = hash('sha256', bytes.subarray(start, end - SEAL_LENGTH), 'hex') === declared
      numbers[entry] = start
      numbers[entry + 1] = isSealed ? layout.sealed : 0
      if (isSealed && numbers[layout.wantsLeaves] === 1) {
        // The prefix of a leaf takes the place of the LF before it, which nobody looks for any more.
        bytes[before] = 0
        const leaf = hash('sha256', bytes.subarray(before, end), 'latin1')
        Buffer.from(shared, at + 4 * (entry + 2), 32).latin1Write(leaf)
        numbers[entry + 1] = layout.withLeaf
      }
      found += 1
      Atomics.store(numbers, layout.found, found)
    }
    end = before
  }
  Atomics.store(numbers, layout.isGiven, 0)
}
`
