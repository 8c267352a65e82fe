/**
 * What another thread has found out about the lines of one chunk, ahead of whoever checks them. Asked about
 * lines in the order in which they stand; where it does not know, the line is hashed where it is checked.
 */
export interface LinesAhead {
  /** Whether the line that begins at this index of the chunk has the hash that it declares. */
  isSealed(start: number): boolean | undefined
  /** The leaf hash of that line in the Merkle tree, 32 bytes. */
  leafHash(start: number): Uint8Array | undefined
}
