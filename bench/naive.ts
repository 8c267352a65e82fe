import { createHash } from 'node:crypto'
import { writeSync } from 'node:fs'

/**
 * What a careful programmer writes in an afternoon: the same guarantees on the happy path, by the means that
 * come to hand first. The ratios that the benchmarks print are against this.
 */

/** A chained log with one write per event. */
export class NaiveLog {
  readonly #fd: number | undefined
  readonly lines: string[] = []
  #seq = 0
  #prev = '0'.repeat(64)

  /** @param fd a file to write to; without one, lines are kept in memory. */
  constructor(fd?: number) {
    this.#fd = fd
  }

  emit(event: string, session: object, payload: object, budget: object): void {
    const record = {
      v: 1,
      seq: this.#seq++,
      synced: -1,
      ts: new Date().toISOString(),
      log_id: '01M7XRNGAK4SYTWV35ZTM7NAWT',
      ...session,
      event,
      payload: structuredClone(payload),
      budget: structuredClone(budget),
      prev_hash: this.#prev,
    }
    const hash = createHash('sha256').update(JSON.stringify(record)).digest('hex')
    this.#prev = hash
    const line = `${JSON.stringify({ ...record, hash })}\n`
    if (this.#fd === undefined) this.lines.push(line)
    else writeSync(this.#fd, line)
  }
}

/** A tool call with a deadline, a checked and copied input, and no audit. */
export async function naiveCall<I, O>(
  schema: { parse(value: unknown): I },
  fn: (input: I) => Promise<O>,
  input: unknown,
  session: AbortSignal,
): Promise<O> {
  const parsed = schema.parse(structuredClone(input))
  const signal = AbortSignal.any([session, AbortSignal.timeout(60_000)])
  return await Promise.race([
    fn(parsed),
    new Promise<never>((_resolve, reject) => {
      signal.addEventListener('abort', () => reject(signal.reason), { once: true })
    }),
  ])
}
