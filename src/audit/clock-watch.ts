import { latin1 } from '../core/byte-text.js'
import { TS_LENGTH } from './envelope.js'
import type { Finding } from './finding.js'

/** Notices a record that is older than the one before it. Times of one form compare as their bytes do. */
export class ClockWatch {
  readonly #last = new Uint32Array(TS_LENGTH / 4)
  #count = 0
  #seq = 0

  observe(view: DataView, at: number, seq: number): void {
    const last = this.#last
    for (let index = 0; index < last.length; index++) {
      const now = view.getUint32(at + index * 4)
      const before = last[index] as number
      if (now === before) continue
      if (now < before) {
        if (this.#count === 0) this.#seq = seq
        this.#count += 1
      }
      for (let rest = index; rest < last.length; rest++) last[rest] = view.getUint32(at + rest * 4)
      return
    }
  }

  /** Time of the last record that said one. */
  get last(): string | undefined {
    if (this.#last[0] === 0) return undefined
    const view = new DataView(new ArrayBuffer(TS_LENGTH))
    for (const [index, word] of this.#last.entries()) view.setUint32(index * 4, word)
    return latin1(new Uint8Array(view.buffer), 0, TS_LENGTH)
  }

  finding(): Finding | undefined {
    if (this.#count === 0) return undefined
    return {
      kind: 'clock_back',
      count: this.#count,
      seq: this.#seq,
      detail: 'records are older than the one before',
    }
  }
}
