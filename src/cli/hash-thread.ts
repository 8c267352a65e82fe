import { Worker } from 'node:worker_threads'
import type { LinesAhead } from '../verify.js'
import { HASH_THREAD_SOURCE, LAYOUT } from './hash-thread-source.js'

const { slots, chunkBytes, shortestLine, heads, entry, withLeaf } = LAYOUT
const NUMBERS_BYTES = 4 * (heads + entry * Math.ceil(chunkBytes / shortestLine))
const SLOT_BYTES = NUMBERS_BYTES + chunkBytes
const LEAF_BYTES = 32

/** One chunk that the second thread goes through, or has gone through. */
export class HashedChunk implements LinesAhead {
  readonly #numbers: Int32Array
  readonly #bytes: Uint8Array
  /** The entry of the line that comes next, once the two threads have met. */
  #next: number | undefined

  constructor(shared: SharedArrayBuffer, index: number) {
    this.#numbers = new Int32Array(shared, index * SLOT_BYTES, NUMBERS_BYTES / 4)
    this.#bytes = new Uint8Array(shared, index * SLOT_BYTES + NUMBERS_BYTES, chunkBytes)
  }

  /** False when the second thread is not done with what it was given before, or the chunk is too long for it. */
  give(chunk: Uint8Array): boolean {
    const numbers = this.#numbers
    if (chunk.length > chunkBytes || Atomics.load(numbers, LAYOUT.isGiven) !== 0) return false
    this.#bytes.set(chunk)
    this.#next = undefined
    numbers[LAYOUT.length] = chunk.length
    numbers[LAYOUT.found] = 0
    numbers[LAYOUT.stop] = 0
    Atomics.store(numbers, LAYOUT.isGiven, 1)
    Atomics.notify(numbers, LAYOUT.isGiven)
    return true
  }

  /** The second thread goes on to the next chunk. What it has found of this one stays until another is given. */
  stop(): void {
    Atomics.store(this.#numbers, LAYOUT.stop, 1)
  }

  isSealed(start: number): boolean | undefined {
    const at = this.#find(start)
    return at === undefined ? undefined : this.#numbers[at + 1] !== 0
  }

  leafHash(start: number): Uint8Array | undefined {
    // From now on they are found as well.
    this.#numbers[LAYOUT.wantsLeaves] = 1
    const at = this.#find(start)
    if (at === undefined || this.#numbers[at + 1] !== withLeaf) return undefined
    const { buffer, byteOffset } = this.#numbers
    return new Uint8Array(buffer, byteOffset + 4 * (at + 2), LEAF_BYTES).slice()
  }

  #find(start: number): number | undefined {
    const numbers = this.#numbers
    if (this.#next === undefined) {
      const found = Atomics.load(numbers, LAYOUT.found)
      const newest = heads + entry * (found - 1)
      if (found === 0 || (numbers[newest] as number) > start) return undefined
      this.#next = newest
      this.stop()
    }
    // The entries go backwards through the chunk, those who ask go forwards.
    while (this.#next >= heads && (numbers[this.#next] as number) < start) this.#next -= entry
    return this.#next >= heads && numbers[this.#next] === start ? this.#next : undefined
  }
}

/**
 * A thread that hashes the lines of chunks. Nobody ever waits for it: what it has not found, or cannot find any
 * more because it is gone, is found by whoever asks.
 */
export class HashThread {
  readonly #worker: Worker
  readonly #chunks: readonly HashedChunk[]
  #turn = 0

  private constructor(worker: Worker, shared: SharedArrayBuffer) {
    this.#worker = worker
    this.#chunks = Array.from({ length: slots }, (_, index) => new HashedChunk(shared, index))
  }

  /** `undefined` where there can be no second thread. */
  static start(): HashThread | undefined {
    try {
      const shared = new SharedArrayBuffer(slots * SLOT_BYTES)
      const workerData = { shared, layout: LAYOUT, slotBytes: SLOT_BYTES, numbersBytes: NUMBERS_BYTES }
      const worker = new Worker(HASH_THREAD_SOURCE, { eval: true, env: {}, execArgv: [], workerData })
      // One that ends early has found nothing more, which is no error of anybody.
      worker.on('error', () => undefined)
      return new HashThread(worker, shared)
    } catch {
      return undefined
    }
  }

  /** What it will have found of a chunk; `undefined` when it cannot take one now. Three at most at once. */
  give(chunk: Uint8Array): HashedChunk | undefined {
    const hashed = this.#chunks[this.#turn] as HashedChunk
    if (!hashed.give(chunk)) return undefined
    this.#turn = (this.#turn + 1) % slots
    return hashed
  }

  async end(): Promise<void> {
    await this.#worker.terminate()
  }
}
