import { latin1 } from '../core/byte-text.js'
import { sha256Units } from '../core/digest.js'
import type { LinesAhead } from './lines-ahead.js'
import { Mark } from './mark.js'
import { leafHash } from './merkle/hash.js'
import { GENESIS, SEAL_LENGTH } from './record.js'

const encoder = new TextEncoder()

const HEAD = new Mark('{"v":1,"seq":')
const SYNCED = new Mark(',"synced":')
const LINK = new Mark(',"prev_hash":"')
const SEAL = new Mark('","hash":"')
/** `"}`, as a view reads it at once. */
const END = 0x227d
const END_LENGTH = 2

const HASH_LENGTH = 64
const LINK_LENGTH = LINK.length + HASH_LENGTH + SEAL.length + HASH_LENGTH + END_LENGTH
const SHORTEST = HEAD.length + LINK_LENGTH + 1
const COMMA = 0x2c
const PAGE_BYTES = 4096
const MINUS = 0x2d

/**
 * The four digits of two bytes, the first one low, as a view reads them at once. All four are put together in one
 * word: a table of them would drive what is hashed out of the cache.
 */
function digitsOf(unit: number): number {
  const pair = ((unit & 0xff) << 16) | (unit >> 8)
  const digits = ((pair & 0xf000f0) << 4) | (pair & 0xf000f)
  // One in each byte that is above nine: its digit is a letter.
  const letters = ((digits + 0x06060606) >> 4) & 0x01010101
  return digits + 0x30303030 + letters * 0x27
}

/** The hash at the end of a chain, compared where it lies instead of as a text. */
export class ChainEnd {
  readonly #own = new DataView(new ArrayBuffer(HASH_LENGTH))
  #view: DataView = this.#own
  #at = 0

  /** @param hash 64 lowercase hexadecimal digits. */
  constructor(hash: string = GENESIS) {
    encoder.encodeInto(hash, new Uint8Array(this.#own.buffer))
  }

  /** True when these are its 64 digits. */
  isAt(view: DataView, at: number): boolean {
    const end = this.#view
    const endAt = this.#at
    // Eight digits at a time: as a number they are never NaN, so that equal numbers are equal bytes.
    for (let index = 0; index < HASH_LENGTH; index += 8) {
      if (view.getFloat64(at + index, true) !== end.getFloat64(endAt + index, true)) return false
    }
    return true
  }

  /** Takes over the 64 digits that stand there, without copying them: see {@link ChainEnd.keep}. */
  moveTo(view: DataView, at: number): void {
    this.#view = view
    this.#at = at
  }

  /** Copies the digits, before the bytes that they are in may change. */
  keep(): void {
    const own = this.#own
    if (this.#view === own) return
    for (let index = 0; index < HASH_LENGTH; index += 4)
      own.setInt32(index, this.#view.getInt32(this.#at + index))
    this.moveTo(own, 0)
  }

  toString(): string {
    this.keep()
    return latin1(new Uint8Array(this.#own.buffer), 0, HASH_LENGTH)
  }
}

/**
 * What a line says of itself, read where it lies and at fixed positions: `JSON.parse` would take four times as
 * long. One reader serves any number of lines; what it says is of the last one.
 */
export class LineReader {
  /** The bytes that the line is in, from `start` up to and without `end`, its LF left out. */
  bytes: Uint8Array = new Uint8Array(0)
  view: DataView = new DataView(this.bytes.buffer)
  start = 0
  end = 0
  seq = 0
  synced = 0
  /** Where the members after `synced` begin, with a comma. */
  rest = 0

  /** What is known of the lines of one chunk before they are read here. */
  #ahead: LinesAhead | undefined
  #aheadIn: Uint8Array | undefined

  /** From now on what is known of this chunk is not found out again. */
  expect(chunk: Uint8Array, ahead: LinesAhead | undefined): void {
    this.#ahead = ahead
    this.#aheadIn = chunk
  }

  /** Reads a line; false when it has not the shape of a record. Whether its hashes are hashes is not looked at. */
  read(bytes: Uint8Array, start: number, end: number): boolean {
    if (bytes !== this.bytes) {
      this.bytes = bytes
      this.view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength)
    }
    this.start = start
    this.end = end
    const link = end - LINK_LENGTH
    const { view } = this
    if (end - start < SHORTEST || !HEAD.isAt(view, start)) return false
    if (!LINK.isAt(view, link) || !SEAL.isAt(view, end - SEAL_LENGTH - 1)) return false
    if (view.getUint16(end - END_LENGTH) !== END) return false
    const afterSeq = this.#readInteger(start + HEAD.length)
    if (afterSeq < 0 || !SYNCED.isAt(view, afterSeq)) return false
    this.seq = this.#value
    this.rest = this.#readInteger(afterSeq + SYNCED.length)
    if (this.rest < 0 || bytes[this.rest] !== COMMA) return false
    this.synced = this.#value
    return true
  }

  /** True when the hash, recomputed over the bytes of the line, is the one that the line declares. */
  isSealed(): boolean {
    return this.#known?.isSealed(this.start) ?? this.#recomputes()
  }

  /** Its leaf hash in the Merkle tree, 32 bytes. */
  leafHash(): Uint8Array {
    return this.#known?.leafHash(this.start) ?? leafHash(this.line)
  }

  /** Nothing is known of a line that was put together from several chunks. */
  get #known(): LinesAhead | undefined {
    return this.bytes === this.#aheadIn ? this.#ahead : undefined
  }

  #recomputes(): boolean {
    const { view, start, end } = this
    const hash = sha256Units(this.bytes.subarray(start, end - SEAL_LENGTH))
    const declared = end - END_LENGTH - HASH_LENGTH
    for (let index = 0; index < HASH_LENGTH / 4; index++) {
      if (view.getInt32(declared + 4 * index) !== digitsOf(hash.charCodeAt(index))) return false
    }
    return true
  }

  /** True when both hashes are written as 64 lowercase hexadecimal digits. */
  hasHashes(): boolean {
    return (
      this.#isHex(this.end - LINK_LENGTH + LINK.length) && this.#isHex(this.end - END_LENGTH - HASH_LENGTH)
    )
  }

  /** True when its `prev_hash` is that. */
  follows(chain: ChainEnd): boolean {
    return chain.isAt(this.view, this.end - LINK_LENGTH + LINK.length)
  }

  /** Its `hash` becomes the end of the chain. */
  becomes(chain: ChainEnd): void {
    chain.moveTo(this.view, this.end - END_LENGTH - HASH_LENGTH)
  }

  get prevHash(): string {
    const at = this.end - LINK_LENGTH + LINK.length
    return latin1(this.bytes, at, at + HASH_LENGTH)
  }

  /** The line itself. Valid as long as the bytes it was read from. */
  get line(): Uint8Array {
    return this.bytes.subarray(this.start, this.end)
  }

  #value = 0

  /** Index after the integer, or −1. */
  #readInteger(at: number): number {
    const { bytes } = this
    const negative = bytes[at] === MINUS
    const start = negative ? at + 1 : at
    let value = 0
    let index = start
    for (; index < start + 16; index++) {
      const digit = (bytes[index] as number) - 0x30
      if (!(digit >= 0 && digit <= 9)) break
      value = value * 10 + digit
    }
    if (index === start || (bytes[start] === 0x30 && index > start + 1)) return -1
    this.#value = negative ? -value : value
    return index
  }

  #isHex(at: number): boolean {
    for (let index = at; index < at + HASH_LENGTH; index++) {
      const byte = this.bytes[index] as number
      if (!((byte >= 0x30 && byte <= 0x39) || (byte >= 0x61 && byte <= 0x66))) return false
    }
    return true
  }
}

/**
 * True when the first page of a file, or all of it, is NUL: the size was stored and the page was not, which is what
 * a power cut does to a file that is new.
 */
export function isLostPage(bytes: Uint8Array, isWholeFile: boolean): boolean {
  const page = bytes.subarray(0, PAGE_BYTES)
  return (isWholeFile || page.length === PAGE_BYTES) && page.every((byte) => byte === 0)
}

/** True when these bytes could be the beginning of the first record of a log. */
export function beginsLikeALog(bytes: Uint8Array): boolean {
  const length = Math.min(bytes.length, HEAD.length)
  return bytes.subarray(0, length).every((byte, index) => byte === HEAD.bytes[index])
}
