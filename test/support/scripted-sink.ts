import type { ChainHead, CustomSink, SealedRecord, SinkHost } from 'writ'

/** What a sink is to do; it does the plain thing where nothing is said. */
export interface SinkScript {
  readonly name?: string
  readonly durable?: boolean
  readonly syncedSeq?: () => number
  readonly open?: () => ChainHead | undefined
  /** Called before a record is kept; a throw refuses it. */
  readonly append?: (record: SealedRecord) => unknown
  readonly flush?: () => Promise<void> | undefined
  readonly flushSync?: () => void
  readonly drain?: () => Promise<void>
  readonly close?: () => Promise<void>
}

/** A sink that keeps lines in memory and does what a test says. */
export class ScriptedSink implements CustomSink {
  readonly name: string
  readonly durable: boolean
  readonly lines: string[] = []
  /** The methods that were called, in order. */
  readonly calls: string[] = []
  host: SinkHost | undefined
  readonly #script: SinkScript

  constructor(script: SinkScript = {}) {
    this.#script = script
    this.name = script.name ?? 'scripted'
    this.durable = script.durable ?? false
  }

  get syncedSeq(): number {
    return this.#script.syncedSeq?.() ?? -1
  }

  get events(): unknown[] {
    return this.lines.map((line) => (JSON.parse(line) as { event: unknown }).event)
  }

  /** The payloads of the records of one event. */
  payloads(event: string): unknown[] {
    return this.lines
      .map((line) => JSON.parse(line) as { event: unknown; payload: unknown })
      .filter((record) => record.event === event)
      .map(({ payload }) => payload)
  }

  get text(): string {
    return this.lines.map((line) => `${line}\n`).join('')
  }

  open(host: SinkHost): ChainHead | undefined {
    this.calls.push('open')
    this.host = host
    return this.#script.open?.()
  }

  append(record: SealedRecord): undefined {
    const returned = this.#script.append?.(record)
    this.lines.push(record.line)
    return returned as undefined
  }

  flush(): Promise<void> | undefined {
    this.calls.push('flush')
    return this.#script.flush?.()
  }

  flushSync(): void {
    this.calls.push('flushSync')
    this.#script.flushSync?.()
  }

  async drain(): Promise<void> {
    this.calls.push('drain')
    await this.#script.drain?.()
  }

  async close(): Promise<void> {
    this.calls.push('close')
    await this.#script.close?.()
  }
}
