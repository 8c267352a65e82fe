import type { LeaseAnswer, LeaseRequest, LimitStore, WindowAmounts } from 'writ'

type Name = keyof WindowAmounts

interface Entry {
  readonly id: string
  readonly key: string
  readonly request: LeaseRequest
  amounts: WindowAmounts
  /** When it leaves the window, or counts as spent. */
  atMs: number
  settled: boolean
}

const NAMES: readonly Name[] = ['nanoUsd', 'tokens', 'toolCalls', 'llmCalls', 'sessions']
const LIMITS = {
  nanoUsd: 'usd',
  tokens: 'tokens',
  toolCalls: 'toolCalls',
  llmCalls: 'llmCalls',
  sessions: 'sessions',
} as const

/** A store as a database would be one: it knows keys, amounts and times, and answers at once. */
export class TableStore implements LimitStore {
  readonly entries: Entry[] = []
  readonly #nowMs: () => number

  constructor(nowMs: () => number) {
    this.#nowMs = nowMs
  }

  lease(request: LeaseRequest): LeaseAnswer {
    const granted: { -readonly [N in Name]?: number } = {}
    for (const name of NAMES) {
      const asked = request.ask[name]
      const limit = request.limits[name]
      if (asked === undefined || limit === undefined) continue
      const used = this.used(request.key, name)
      if (name === 'sessions' && used + asked > limit) {
        return { ok: false, limit: LIMITS[name], used, max: limit }
      }
      granted[name] = Math.min(asked, Math.max(0, limit - used))
    }
    const id = `lease-${this.entries.length}`
    const { key } = request
    const atMs = this.#nowMs() + request.leaseMs
    this.entries.push({ id, key, request, amounts: granted, atMs, settled: false })
    return { ok: true, id, granted }
  }

  settle(id: string, spent: WindowAmounts): void {
    const entry = this.entries.find((each) => each.id === id)
    if (entry === undefined || entry.settled) throw new TypeError(`no open lease ${id}`)
    entry.settled = true
    entry.amounts = spent
    entry.atMs = this.#nowMs()
  }

  /** What counts within the window now: what was spent in it, and what is leased in full. */
  used(key: string, name: Name): number {
    return this.entries
      .filter((entry) => entry.key === key)
      .filter(({ atMs, request }) => this.#nowMs() - atMs < request.windowMs)
      .reduce((sum, { amounts }) => sum + (amounts[name] ?? 0), 0)
  }
}

/** The same table behind a network: every answer is a promise. */
export class RemoteStore implements LimitStore {
  readonly table: TableStore
  /** Replaces answers, to be a store that is broken. */
  answer: ((answer: LeaseAnswer) => unknown) | undefined

  constructor(nowMs: () => number) {
    this.table = new TableStore(nowMs)
  }

  async lease(request: LeaseRequest): Promise<LeaseAnswer> {
    await undefined
    const answer = this.table.lease(request)
    return this.answer === undefined ? answer : (this.answer(answer) as LeaseAnswer)
  }

  async settle(id: string, spent: WindowAmounts): Promise<void> {
    await undefined
    this.table.settle(id, spent)
  }
}
