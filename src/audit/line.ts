import { sha256Hex } from '../core/digest.js'
import { SEAL_LENGTH } from './record.js'

const encoder = new TextEncoder()

const HEAD = encoder.encode('{"v":1,"seq":')
const SYNCED = encoder.encode(',"synced":')
const LINK = encoder.encode(',"prev_hash":"')
const SEAL = encoder.encode('","hash":"')
const END = encoder.encode('"}')

const HASH_LENGTH = 64
const LINK_START = LINK.length + HASH_LENGTH + SEAL.length + HASH_LENGTH + END.length
const SHORTEST = HEAD.length + LINK_START + 1
const COMMA = 0x2c
const MINUS = 0x2d

/** What a line says of itself, read at fixed positions: `JSON.parse` would take four times as long. */
export interface LineClaims {
  readonly seq: number
  readonly synced: number
  readonly prevHash: string
  readonly hash: string
  /** The hash recomputed over the bytes of the line; never the one that the line declares. */
  readonly actualHash: string
}

/** Reads a line without its LF; `undefined` when it has not the shape of a record. */
export function readLine(line: Uint8Array): LineClaims | undefined {
  const { length } = line
  if (length < SHORTEST || !holds(line, 0, HEAD)) return undefined
  const link = length - LINK_START
  if (!holds(line, link, LINK)) return undefined
  const prev = link + LINK.length
  const seal = prev + HASH_LENGTH
  if (!holds(line, seal, SEAL) || !holds(line, length - END.length, END)) return undefined
  const seq = readInteger(line, HEAD.length)
  if (seq === undefined || !holds(line, seq.end, SYNCED)) return undefined
  const synced = readInteger(line, seq.end + SYNCED.length)
  if (synced === undefined || line[synced.end] !== COMMA) return undefined
  const prevHash = readHash(line, prev)
  const hash = readHash(line, seal + SEAL.length)
  if (prevHash === undefined || hash === undefined) return undefined
  const actualHash = sha256Hex(line.subarray(0, length - SEAL_LENGTH))
  return { seq: seq.value, synced: synced.value, prevHash, hash, actualHash }
}

/** True when these bytes could be the beginning of the first record of a log. */
export function beginsLikeALog(bytes: Uint8Array): boolean {
  return holds(bytes, 0, HEAD.subarray(0, Math.min(bytes.length, HEAD.length)))
}

function holds(line: Uint8Array, at: number, expected: Uint8Array): boolean {
  for (let index = 0; index < expected.length; index++) {
    if (line[at + index] !== expected[index]) return false
  }
  return true
}

function readInteger(line: Uint8Array, at: number): { value: number; end: number } | undefined {
  const negative = line[at] === MINUS
  const start = negative ? at + 1 : at
  let value = 0
  let index = start
  for (; index < start + 16; index++) {
    const digit = (line[index] as number) - 0x30
    if (!(digit >= 0 && digit <= 9)) break
    value = value * 10 + digit
  }
  if (index === start || (line[start] === 0x30 && index > start + 1)) return undefined
  return { value: negative ? -value : value, end: index }
}

function readHash(line: Uint8Array, at: number): string | undefined {
  let text = ''
  for (let index = at; index < at + HASH_LENGTH; index++) {
    const byte = line[index] as number
    const isHex = (byte >= 0x30 && byte <= 0x39) || (byte >= 0x61 && byte <= 0x66)
    if (!isHex) return undefined
    text += String.fromCharCode(byte)
  }
  return text
}
