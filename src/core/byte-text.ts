import { builtin } from './runtime.js'

/** The part of Node's `Buffer` that works on any bytes, typed here because not every user has the types of Node. */
interface NativeBytes {
  readonly indexOf?: (this: Uint8Array, byte: number, from: number) => number
  readonly latin1Slice?: (this: Uint8Array, start: number, end: number) => string
}

const { indexOf, latin1Slice } =
  builtin<{ Buffer?: { prototype: NativeBytes } }>('buffer')?.Buffer?.prototype ?? {}

/** Index of the first such byte at `from` or after it, or −1: five times as fast as `Uint8Array.indexOf` where there is `Buffer`. */
export const indexOfByte: (bytes: Uint8Array, byte: number, from: number) => number =
  indexOf === undefined
    ? (bytes, byte, from) => bytes.indexOf(byte, from)
    : (bytes, byte, from) => indexOf.call(bytes, byte, from)

/** Bytes as text, each byte one character: what ASCII is, and a key for anything else. */
export const latin1: (bytes: Uint8Array, start: number, end: number) => string =
  latin1Slice === undefined
    ? (bytes, start, end) => {
        let text = ''
        for (let at = start; at < end; at++) text += String.fromCharCode(bytes[at] as number)
        return text
      }
    : (bytes, start, end) => latin1Slice.call(bytes, start, end)
