import { RuntimeUnsupported } from '../core/errors.js'
import { builtin } from '../core/runtime.js'
import { KEEPER_SOURCE } from './keeper-source.js'
import type { IsolatedSettings } from './options.js'
import type { Order, Report } from './protocol.js'
import { UNIT_SOURCE, WATCHDOG_SOURCE } from './unit-source.js'

type Threads = typeof import('node:worker_threads')

/** A keeper that has said nothing for so long, although it was asked, is lost. */
const SILENCE_MS = 5_000

/** The host's end of the thread that watches the workers of one pool. */
export class Keeper {
  readonly #threads: Threads
  readonly #worker: InstanceType<Threads['Worker']>
  readonly #port: InstanceType<Threads['MessagePort']>
  /** Counts the reports; what a host that blocks sleeps on. */
  readonly #reports: Int32Array
  readonly #onReport: (report: Report) => void

  /**
   * @param onLost called when the thread has ended by itself, and its workers with it.
   * @throws {@link RuntimeUnsupported} (ERR_RUNTIME_UNSUPPORTED) where there are no worker threads.
   */
  constructor(settings: IsolatedSettings, onReport: (report: Report) => void, onLost: () => void) {
    const threads = builtin<Threads>('worker_threads')
    if (threads === undefined) throw new RuntimeUnsupported('isolated', 'worker threads')
    this.#threads = threads
    this.#onReport = onReport
    this.#reports = new Int32Array(new SharedArrayBuffer(4))
    const { port1, port2 } = new threads.MessageChannel()
    const plan = {
      ...settings,
      env: { ...settings.env },
      unitSource: UNIT_SOURCE,
      watchdogSource: WATCHDOG_SOURCE,
    }
    this.#port = port1
    this.#worker = new threads.Worker(KEEPER_SOURCE, {
      eval: true,
      env: {},
      argv: [],
      execArgv: [],
      workerData: { port: port2, signal: this.#reports, plan },
      transferList: [port2],
    })
    port1.on('message', onReport)
    this.#worker.on('error', onLost)
    this.#worker.on('exit', onLost)
    this.setBusy(false)
  }

  send(order: Order): void {
    this.#port.postMessage(order)
  }

  /** Keeps the process alive while there is something to wait for, and only then. */
  setBusy(isBusy: boolean): void {
    if (isBusy) this.#worker.ref()
    else this.#worker.unref()
    this.#port.unref()
  }

  /**
   * Blocks this thread and takes the reports that come, until `isOver` says so.
   *
   * @param leftMs milliseconds that may still be spent, asked before every wait.
   * @returns false when the keeper does not answer any more.
   */
  block(isOver: () => boolean, leftMs: () => number): boolean {
    /** How many reports there were when it was asked whether it is there. */
    let askedAt: number | undefined
    for (;;) {
      // Read before looking, so that what is reported in between ends the wait at once.
      const seen = Atomics.load(this.#reports, 0)
      if (seen !== askedAt) askedAt = undefined
      this.#takeReports()
      if (isOver()) return true
      const waitMs = leftMs()
      if (waitMs <= 0) return true
      const waited = Atomics.wait(this.#reports, 0, seen, Math.min(waitMs, SILENCE_MS))
      if (waited !== 'timed-out' || waitMs < SILENCE_MS) continue
      if (askedAt !== undefined) return false
      askedAt = seen
      this.send({ type: 'ping' })
    }
  }

  #takeReports(): void {
    for (;;) {
      const received = this.#threads.receiveMessageOnPort(this.#port) as { message: Report } | undefined
      if (received === undefined) return
      this.#onReport(received.message)
    }
  }

  /** Ends the thread and every worker that it has. */
  async close(): Promise<void> {
    this.#port.close()
    await this.#worker.terminate()
  }
}
