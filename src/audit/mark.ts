const encoder = new TextEncoder()

/** A piece of ASCII text to be found at a place, compared four bytes at a time. */
export class Mark {
  readonly length: number
  readonly bytes: Uint8Array
  readonly #words: Int32Array
  /** The last four bytes, which may overlap with the words before them. */
  readonly #last: number

  /** @param text at least four characters of ASCII. */
  constructor(text: string) {
    this.bytes = encoder.encode(text)
    this.length = this.bytes.length
    const view = new DataView(this.bytes.buffer)
    this.#words = Int32Array.from({ length: (this.length - 1) >> 2 }, (_, index) => view.getInt32(index * 4))
    this.#last = view.getInt32(this.length - 4)
  }

  /** True when the text stands there; false beyond the end of the bytes. */
  isAt(view: DataView, at: number): boolean {
    if (at + this.length > view.byteLength) return false
    const words = this.#words
    for (let index = 0; index < words.length; index++) {
      if (view.getInt32(at + index * 4) !== words[index]) return false
    }
    return view.getInt32(at + this.length - 4) === this.#last
  }
}
