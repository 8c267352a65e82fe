import type { AuditSink, ChainHead, SealedRecord, SinkHost } from '../../../src/audit/sink.js'

/** A sink that keeps its contract in the simplest way: it stores a line when it takes it. */
export class Plain implements AuditSink {
  readonly name: string = 'plain'
  readonly durable: boolean = true
  syncedSeq = -1
  stored: string[] = []
  isOpen = false
  host: SinkHost | undefined
  #last: SealedRecord | undefined

  open(host: SinkHost): ChainHead | undefined {
    this.host = host
    this.isOpen = true
    return this.#last && { logId: this.#last.parse().log_id, size: this.#last.seq + 1, hash: this.#last.hash }
  }

  append(record: SealedRecord): void {
    if (!this.isOpen) throw new TypeError('closed')
    this.store(record.line)
    this.#last = record
    this.syncedSeq = record.seq
  }

  store(line: string): void {
    this.stored.push(line)
  }

  storeAll(): void {
    // Everything is stored.
  }

  flush(): undefined {
    this.storeAll()
  }

  flushSync(): void {
    this.storeAll()
  }

  async drain(): Promise<void> {
    this.storeAll()
  }

  async close(): Promise<void> {
    this.isOpen = false
    this.storeAll()
  }
}

/** Stores only when it has to. */
export class Lazy extends Plain {
  readonly #waiting: string[] = []

  override store(line: string): void {
    this.#waiting.push(line)
  }

  override storeAll(): void {
    this.stored.push(...this.#waiting.splice(0))
  }
}

type Change = (sink: Plain) => Partial<AuditSink> & { store?: (line: string) => void }

const plain =
  (change: Change): (() => Plain) =>
  () => {
    const sink = new Plain()
    return Object.assign(sink, change(sink))
  }

const lazy =
  (change: Change): (() => Plain) =>
  () => {
    const sink = new Lazy()
    return Object.assign(sink, change(sink))
  }

const nothing = (): undefined => undefined
const claim = (sink: Plain, syncedSeq: number): undefined => void Object.assign(sink, { syncedSeq })
const resolved = (): Promise<void> => Promise.resolve()

/** Sinks that break one sentence of the contract each, the case that finds it, and what it says. */
export const FLAWS: readonly (readonly [flaw: string, make: () => Plain, found: string, said: string])[] = [
  ['has no name', plain(() => ({ name: '' })), 'has a name', 'name must be'],
  [
    'does not say whether it is durable',
    plain(() => ({ durable: undefined as never })),
    'has a name',
    'durable must',
  ],
  [
    'claims a chain that it does not hold',
    plain((sink) => ({ open: (host) => sink.constructor.prototype.open.call(sink, host) ?? { size: 0 } })),
    'open returns undefined',
    'open returned {"size":0}',
  ],
  [
    'writes Latin-1',
    plain((sink) => ({ store: (line) => sink.stored.push(Buffer.from(line, 'latin1').toString('latin1')) })),
    'keeps the order and every byte',
    'line 2 is',
  ],
  [
    'encodes records again',
    plain((sink) => ({ store: (line) => sink.stored.push(JSON.stringify(JSON.parse(line))) })),
    'keeps the order and every byte',
    'line 3 is',
  ],
  [
    'joins spaces',
    plain((sink) => ({ store: (line) => sink.stored.push(line.replaceAll(/ +/g, ' ')) })),
    'keeps the order and every byte',
    'line 5 is',
  ],
  [
    'puts the newest first',
    plain((sink) => ({ store: (line) => sink.stored.unshift(line) })),
    'keeps',
    'line 0 is',
  ],
  [
    'takes lines up to a limit of its own',
    plain((sink) => ({
      store: (line) => {
        if (Buffer.byteLength(line) > 65_533) throw new RangeError('too long')
        sink.stored.push(line)
      },
    })),
    'takes the longest line',
    'too long',
  ],
  [
    'acknowledges what it has not stored',
    lazy(() => ({ flush: nothing })),
    'a flush that',
    'after flush, record 0',
  ],
  [
    'only pretends to flush at once',
    lazy(() => ({ flushSync: nothing })),
    'flushSync',
    'after flushSync, record 0',
  ],
  [
    'throws what is no error',
    plain(() => ({
      flushSync: () => {
        throw 'no' as never
      },
    })),
    'flushSync',
    'flushSync threw',
  ],
  [
    'claims to have synced what it was not given',
    plain((sink) => ({ flush: () => claim(sink, sink.syncedSeq + 1) })),
    'syncedSeq',
    'syncedSeq is 1 after 1 records',
  ],
  [
    'takes back what it has synced',
    plain((sink) => ({ flush: () => claim(sink, 5 - sink.syncedSeq) })),
    'syncedSeq',
    'syncedSeq',
  ],
  [
    'does not deliver when drained',
    lazy(() => ({ drain: resolved })),
    'drain',
    'after drain, record 0 of 10',
  ],
  ['ends when drained', plain((sink) => ({ drain: () => sink.close() })), 'drain', 'closed'],
  ['forgets what is pending', lazy(() => ({ close: resolved })), 'close loses nothing', 'record 0 of 500'],
  [
    'loses records after close',
    plain((sink) => ({ append: (each) => sink.isOpen && sink.store(each.line) })),
    'a record after close',
    'was lost',
  ],
  [
    'refuses a record after close and stores it',
    plain((sink) => ({
      append: (each) => {
        sink.store(each.line)
        if (!sink.isOpen) throw new TypeError('closed')
      },
    })),
    'a record after close',
    'was refused and has arrived',
  ],
  [
    'keeps the newest 1,000',
    plain((sink) => ({ store: (line) => (sink.stored = [...sink.stored, line].slice(-1_000)) })),
    'takes 10,000',
    'line 0 is',
  ],
  [
    'loses the 7,000th record',
    plain((sink) => ({ store: (line) => line.includes('"seq":6999,') || sink.stored.push(line) })),
    'takes 10,000',
    'line 6999 is',
  ],
  [
    'loses the last record',
    plain((sink) => ({ store: (line) => line.includes('"seq":9999,') || sink.stored.push(line) })),
    'takes 10,000',
    'record 9999 of 10000 has not arrived',
  ],
  [
    'adds a line of its own',
    plain((sink) => ({ close: async () => void sink.stored.push('bye') })),
    'open returns undefined',
    '1 lines are too many',
  ],
  [
    'reports a drop that did not happen',
    plain((sink) => ({ close: async () => sink.host?.dropped(1) })),
    'close loses nothing',
    '1 records were reported',
  ],
  [
    'changes records',
    plain(() => ({ append: (each) => void Object.assign(each, { line: '' }) })),
    'keeps',
    'read only',
  ],
  ...(['size', 'hash', 'logId'] as const).map(
    (member) =>
      [
        `does not know its ${member}`,
        plain((sink) => ({
          open: (host) => {
            const head = sink.constructor.prototype.open.call(sink, host)
            return head && { ...head, [member]: member === 'size' ? 3 : 'x' }
          },
        })),
        'open says where',
        `${member} is`,
      ] as const,
  ),
]
