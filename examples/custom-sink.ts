// A sink of your own: here a table of a database, written in batches. `npx tsx examples/custom-sink.ts`
import { Agent, type ChainHead, type CustomSink, defineTool, type SealedRecord, type SinkHost } from 'writ'
import { sinkSuite } from 'writ/testing'
import { verifyLog } from 'writ/verify'
import * as z from 'zod'

interface Row {
  readonly seq: number
  readonly hash: string
  readonly line: string
}

/** Stands for a table with an asynchronous client. */
class Table {
  readonly rows: Row[] = []

  async insert(rows: readonly Row[]): Promise<void> {
    await new Promise((resolve) => setTimeout(resolve, 1))
    this.rows.push(...rows)
  }

  async last(): Promise<Row | undefined> {
    return this.rows.at(-1)
  }
}

// #region sink
/** Appends records to a table, in batches, one at a time. */
class TableSink implements CustomSink {
  readonly name = 'table'
  readonly durable = true // what the database has acknowledged survives this process
  readonly #table: Table
  readonly #head: ChainHead | undefined
  #host: SinkHost | undefined
  #queue: Row[] = []
  #writing: Promise<void> | undefined
  #failure: unknown

  private constructor(table: Table, head: ChainHead | undefined) {
    this.#table = table
    this.#head = head
  }

  /** Reads where the chain ends, because `open` cannot wait. */
  static async connect(table: Table): Promise<TableSink> {
    const last = await table.last()
    if (last === undefined) return new TableSink(table, undefined)
    const { log_id: logId } = JSON.parse(last.line) as { log_id: string }
    return new TableSink(table, { logId, size: last.seq + 1, hash: last.hash })
  }

  open(host: SinkHost): ChainHead | undefined {
    this.#host = host
    return this.#head
  }

  append({ seq, hash, line }: SealedRecord): void {
    if (this.#host === undefined) throw new TypeError('the sink is not open')
    if (this.#failure !== undefined) throw this.#failure
    this.#queue.push({ seq, hash, line })
    this.#writing ??= this.#write()
  }

  async flush(): Promise<void> {
    await this.#writing
    if (this.#failure !== undefined) throw this.#failure
  }

  flushSync(): void {
    if (this.#failure !== undefined) throw this.#failure
    if (this.#writing !== undefined) throw new TypeError('a database cannot be waited for synchronously')
  }

  async close(): Promise<void> {
    await this.#writing
    this.#host = undefined
  }

  async #write(): Promise<void> {
    while (this.#queue.length > 0 && this.#failure === undefined) {
      await undefined // records of one tick share a batch
      const batch = this.#queue
      this.#queue = []
      try {
        await this.#table.insert(batch)
      } catch (error) {
        this.#failure = error
        this.#host?.dropped(batch.length + this.#queue.length, error)
      }
    }
    this.#writing = undefined
  }
}
// #endregion sink

console.log('The contract of AuditSink, case by case:')
// #region suite
const suite = sinkSuite(async () => {
  const table = new Table()
  return {
    sink: await TableSink.connect(table),
    lines: () => table.rows.map((row) => row.line),
    reopen: () => TableSink.connect(table),
  }
})
for (const { name, run } of suite) {
  await run() // rejects when the sink does not meet the case; in a test runner: test(name, run)
  console.log(`  ok  ${name}`)
}
// #endregion suite

const table = new Table()
for (const user of ['alice', 'bob']) {
  const agent = new Agent({
    identity: 'echo-bot/v1',
    budget: { toolCalls: 3 },
    tools: { echo: defineTool({ inputSchema: z.object({ text: z.string() }), execute: ({ text }) => text }) },
    audit: await TableSink.connect(table),
  })
  await agent.session(user, (s) => s.callTool('echo', { text: 'hello' }))
  await agent.close()
}
const log = new TextEncoder().encode(table.rows.map((row) => `${row.line}\n`).join(''))
const { verdict, size } = await verifyLog(log)
console.log(`Two agents, one after the other, one chain in the table: ${size} records, ${verdict}`)
