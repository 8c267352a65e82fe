import { MAX_LINE_BYTES } from '../audit/record.js'
import { utf8Length } from '../core/utf8.js'
import { check, SinkBench, type SinkUnderTest } from './sink-bench.js'

/** One requirement of `AuditSink`. */
export interface SinkCase {
  readonly name: string
  /** Rejects with an error named `AssertionError` when the sink does not meet it. */
  run(): Promise<void>
}

/**
 * The contract of `AuditSink` as cases that any test runner can loop over. Every case gets a sink of its
 * own. A case takes as long as the sink does: give them the time limit of your runner.
 *
 * @example
 * for (const { name, run } of sinkSuite(() => ({ sink: mySink(), lines: () => readMyLines() }))) test(name, run)
 */
export function sinkSuite(make: () => SinkUnderTest | Promise<SinkUnderTest>): readonly SinkCase[] {
  return Object.entries(CASES).map(([name, check]) => ({ name, run: () => runCase(make, check) }))
}

const CASES: Readonly<Record<string, (bench: SinkBench) => Promise<void>>> = {
  'has a name and says whether it is durable': async ({ sink }) => {
    check(typeof sink.name === 'string' && sink.name !== '', 'name must be a non-empty string')
    check(typeof sink.durable === 'boolean', 'durable must be a boolean')
  },

  'open returns undefined for an empty destination': async (bench) => {
    const head = bench.open()
    check(head === undefined, `open returned ${JSON.stringify(head)} for an empty destination`)
    await bench.close()
    await bench.expectAll('after a log without records')
  },

  'keeps the order and every byte': async (bench) => {
    bench.open()
    const tasks = [
      '',
      '"\\/\b\f\n\r\t',
      'Grüße, 東京, naïve café',
      '😀 👩‍👩‍👧 \u{10ffff}',
      '\u2028\u2029\u009b\u202e',
      ' a  b ',
    ]
    for (const task of tasks) bench.append(bench.next(task))
    await bench.close()
    await bench.expectAll('after close')
  },

  'takes the longest line that a log may hold': async (bench) => {
    bench.open()
    for (const character of ['x', '東']) {
      const room = MAX_LINE_BYTES - 1 - utf8Length(bench.next('').line)
      const width = utf8Length(character)
      const task = character.repeat(Math.floor(room / width)) + 'x'.repeat(room % width)
      const record = bench.append(bench.next(task))
      check(utf8Length(record.line) === MAX_LINE_BYTES - 1, 'the suite formed a line of the wrong length')
    }
    await bench.close()
    await bench.expectAll('after close')
  },

  'a flush that has resolved has stored every record (durable sinks)': async (bench) => {
    bench.open()
    for (let round = 0; round < 10; round++) {
      bench.appendMany(round + 1)
      await bench.sink.flush()
      if (bench.sink.durable) await bench.expectAll('after flush')
    }
    await bench.close()
    await bench.expectAll('after close')
  },

  'flushSync stores every record (durable sinks) or throws an Error': async (bench) => {
    bench.open()
    bench.appendMany(10)
    let thrown: unknown
    try {
      bench.sink.flushSync()
    } catch (error) {
      thrown = error
      check(error instanceof Error, 'flushSync threw something that is no Error')
    }
    if (thrown === undefined && bench.sink.durable) await bench.expectAll('after flushSync')
    await bench.close()
    await bench.expectAll('after close')
  },

  'syncedSeq never falls and never exceeds what was taken': async (bench) => {
    bench.open()
    let before = -1
    for (let round = 0; round < 10; round++) {
      bench.append()
      await bench.sink.flush()
      const synced = bench.sink.syncedSeq ?? -1
      check(Number.isInteger(synced) && synced >= before, `syncedSeq went from ${before} to ${synced}`)
      check(synced < bench.taken.length, `syncedSeq is ${synced} after ${bench.taken.length} records`)
      before = synced
    }
    await bench.close()
  },

  'drain delivers what is queued, and the sink goes on': async (bench) => {
    bench.open()
    await bench.sink.drain?.()
    bench.appendMany(10)
    await bench.sink.drain?.()
    await bench.sink.drain?.()
    if (bench.sink.drain !== undefined) await bench.expectAll('after drain')
    bench.appendMany(10)
    await bench.close()
    await bench.expectAll('after close')
  },

  'close loses nothing that is pending': async (bench) => {
    bench.open()
    bench.appendMany(500)
    await bench.close()
    await bench.expectAll('after close')
  },

  'a record after close is refused, or reported as dropped': async (bench) => {
    bench.open()
    bench.append()
    await bench.close()
    await bench.expectAll('after close')
    const late = bench.next()
    let refused = false
    try {
      bench.sink.append(late)
    } catch {
      refused = true
    }
    const arrived = (await bench.subject.lines()).includes(late.line)
    check(refused || arrived || bench.dropped > 0, 'a record after close was lost without a word')
    check(!(refused && arrived), 'a record after close was refused and has arrived nevertheless')
  },

  'takes 10,000 records': async (bench) => {
    bench.open()
    for (let round = 0; round < 10; round++) {
      bench.appendMany(1_000)
      await bench.sink.flush()
    }
    await bench.close()
    await bench.expectAll('after close')
  },

  'open says where the chain of a destination ends (sinks with reopen)': async (bench) => {
    if (bench.subject.reopen === undefined) return
    bench.open()
    bench.appendMany(3)
    const last = bench.append()
    await bench.close()
    const head = bench.open(await bench.subject.reopen())
    check(head?.size === bench.taken.length, `size is ${head?.size} after ${bench.taken.length} records`)
    check(head.hash === last.hash, 'hash is not the hash of the last record')
    check(head.logId === last.parse().log_id, 'logId is not the log_id of the records')
    bench.append()
    await bench.close()
    await bench.expectAll('after the second close')
  },
}

async function runCase(
  make: () => SinkUnderTest | Promise<SinkUnderTest>,
  run: (bench: SinkBench) => Promise<void>,
): Promise<void> {
  const bench = new SinkBench(await make())
  try {
    await run(bench)
  } finally {
    // Only after a failed case, whose error is the one to show.
    if (bench.isOpen) await bench.close().catch(() => undefined)
    await bench.subject.cleanup?.()
  }
}
