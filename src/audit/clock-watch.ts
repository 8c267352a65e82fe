import { latin1 } from '../core/byte-text.js'
import { TS_LENGTH } from './envelope.js'
import type { Finding } from './finding.js'

/** Notices a record that is older than the one before it. Times of one form compare as their bytes do. */
export class ClockWatch {
  readonly #last = new DataView(new ArrayBuffer(TS_LENGTH))
  #count = 0
  #seq = 0

  observe(view: DataView, at: number, seq: number): void {
    for (let index = 0; index < TS_LENGTH; index += 4) {
      const now = view.getUint32(at + index)
      const before = this.#last.getUint32(index)
      if (now === before) continue
      if (now < before) {
        if (this.#count === 0) this.#seq = seq
        this.#count += 1
      }
      for (let rest = index; rest < TS_LENGTH; rest += 4) {
        this.#last.setUint32(rest, view.getUint32(at + rest))
      }
      return
    }
  }

  /** Time of the last record that said one. */
  get last(): string | undefined {
    const text = latin1(new Uint8Array(this.#last.buffer), 0, TS_LENGTH)
    return text.startsWith('\0') ? undefined : text
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
