import { systemClock } from '../core/clock.js'
import type { Job, Outcome } from './job.js'
import { Keeper } from './keeper.js'
import { LoadFailures } from './load-failures.js'
import type { IsolatedSettings } from './options.js'
import { outputValue } from './output-value.js'
import type { Report } from './protocol.js'
import { ToolCrashed } from './tool-crashed.js'
import { toolError } from './tool-error.js'
import { ToolKilled } from './tool-killed.js'
import { type Unit, Units } from './units.js'

/** How long closing waits for workers: a thread inside a system call ends when that returns. */
const CLOSE_MS = 2_000

/** The workers of one tool, and the calls that wait for one. */
export class Pool {
  readonly #settings: IsolatedSettings
  readonly #units: Units
  readonly #queue = new Set<Job>()
  readonly #failures: LoadFailures
  #keeper: Keeper | undefined
  #closing: Promise<void> | undefined
  #onEmpty: (() => void) | undefined

  constructor(settings: IsolatedSettings) {
    this.#settings = settings
    this.#failures = new LoadFailures(settings.url)
    this.#units = new Units(settings, (order) => this.#ensureKeeper().send(order))
    this.#fill()
  }

  /** Workers and processes that are alive. */
  get size(): number {
    return this.#units.size
  }

  submit(job: Job): void {
    const refusal = this.#closing === undefined ? this.#failures.current() : closed()
    if (refusal !== undefined) {
      job.settle({ ok: false, error: refusal })
      return
    }
    // Before the call waits for it: where there are no threads, nothing must be left behind.
    this.#ensureKeeper()
    this.#queue.add(job)
    this.#assign()
  }

  /** Ends a call: at once while it waits; by ending its worker while it runs. */
  abandon(job: Job): void {
    if (this.#queue.delete(job)) {
      this.#settle(job, { ok: false, error: new ToolKilled(false) })
      return
    }
    const unit = this.#units.of(job)
    if (unit !== undefined) this.#units.stop(unit, this.#settings.graceMs)
  }

  /** Blocks this thread until `isOver`, as {@link Keeper.block}. */
  block(isOver: () => boolean, leftMs: () => number): void {
    const keeper = this.#keeper
    if (keeper?.block(isOver, leftMs) === false) this.#lose(keeper)
  }

  close(): Promise<void> {
    this.#closing ??= this.#close()
    return this.#closing
  }

  async #close(): Promise<void> {
    this.#units.sweepNever()
    this.#dropJobs(closed)
    const keeper = this.#keeper
    if (keeper === undefined) return
    keeper.setBusy(true)
    this.#units.stopAll()
    await this.#emptied()
    this.#keeper = undefined
    this.#units.clear()
    await keeper.close()
  }

  #emptied(): Promise<void> {
    if (this.#units.size === 0) return Promise.resolve()
    return new Promise((resolve) => {
      const timer = systemClock.setTimer(resolve, CLOSE_MS, false)
      this.#onEmpty = () => {
        systemClock.clearTimer(timer)
        resolve()
      }
    })
  }

  #ensureKeeper(): Keeper {
    if (this.#keeper !== undefined) return this.#keeper
    const keeper = new Keeper(
      this.#settings,
      (report) => {
        if (this.#keeper === keeper) this.#hear(report)
      },
      () => this.#lose(keeper),
    )
    this.#keeper = keeper
    return keeper
  }

  /** The keeper is gone, and all workers with it. The next call starts another. */
  #lose(keeper: Keeper): void {
    if (this.#keeper !== keeper) return
    this.#keeper = undefined
    keeper.close().catch(() => undefined)
    this.#dropJobs(
      () => new ToolCrashed('unresponsive', 'was lost: what watches it has ended or does not react'),
    )
    this.#units.clear()
    this.#onEmpty?.()
  }

  #dropJobs(reason: () => Error): void {
    const jobs = [...this.#units.takeJobs(), ...this.#queue]
    this.#queue.clear()
    for (const job of jobs) job.settle({ ok: false, error: reason() })
  }

  /** Starts what has to be there before anybody asks for it. */
  #fill(): void {
    while (this.#units.size < this.#settings.min && this.#failures.current() === undefined)
      this.#units.start()
  }

  /** Hands waiting calls, in order, to free workers, and starts workers for the rest. */
  #assign(): void {
    for (const job of this.#queue) {
      const unit = this.#units.free()
      if (unit === undefined) break
      const leftMs = job.leftMs()
      // Asking for the time that is left may have stopped this call.
      if (!this.#queue.delete(job)) continue
      if (leftMs > 0) this.#units.give(unit, job, leftMs)
      else this.#settle(job, { ok: false, error: new ToolKilled(false) })
    }
    const { max } = this.#settings
    while (this.#units.starting < this.#queue.size && this.#units.size < max) this.#units.start()
    this.#keeper?.setBusy(this.#isBusy)
  }

  get #isBusy(): boolean {
    return this.#queue.size > 0 || this.#units.isBusy || this.#closing !== undefined
  }

  #settle(job: Job, outcome: Outcome): void {
    this.#keeper?.setBusy(this.#isBusy)
    job.settle(outcome)
  }

  #hear(report: Report): void {
    const unit = report.type === 'pong' ? undefined : this.#units.get(report.unit)
    if (unit === undefined) return
    if (report.type === 'ready') {
      unit.isReady = true
      unit.idleSinceMs = systemClock.monotonicMs()
      this.#failures.clear()
    } else if (report.type === 'unloadable') {
      unit.isStopping = true
      this.#unloadable(`${report.error.name}: ${report.error.message}`)
    } else if (report.type === 'answer') {
      this.#answered(unit, report)
    } else if (report.type === 'gone') {
      this.#gone(unit, report)
    }
    if (this.#closing !== undefined) return
    this.#assign()
    this.#units.sweepLater()
  }

  #answered(unit: Unit, { call, answer }: Extract<Report, { type: 'answer' }>): void {
    const { job } = unit
    if (job === undefined || call !== unit.calls) return
    unit.job = undefined
    unit.idleSinceMs = systemClock.monotonicMs()
    if (unit.calls >= this.#settings.maxCallsPerWorker) this.#units.stop(unit, 0)
    this.#settle(job, outcomeOf(answer))
  }

  #gone(unit: Unit, { reason, detail }: Extract<Report, { type: 'gone' }>): void {
    this.#units.delete(unit)
    if (this.#units.size === 0) this.#onEmpty?.()
    const { job } = unit
    if (job !== undefined) {
      // Perhaps ended by the keeper before the host looked at its clock: the session has to say so first.
      if (reason === 'stopped') job.leftMs()
      const error = reason === 'stopped' ? new ToolKilled(true) : new ToolCrashed(reason, detail)
      this.#settle(job, { ok: false, error })
    } else if (!unit.isReady && !unit.isStopping) {
      this.#unloadable(detail)
    }
    if (unit.isReady && this.#closing === undefined) this.#fill()
  }

  /** No call can run: all that wait are told why, and new ones for a while. */
  #unloadable(why: string): void {
    this.#failures.note(why)
    for (const job of [...this.#queue]) {
      this.#queue.delete(job)
      this.#settle(job, { ok: false, error: this.#failures.error(why) })
    }
  }
}

function closed(): ToolCrashed {
  return new ToolCrashed('closed', 'was closed: close() was called')
}

function outcomeOf(answer: Extract<Report, { type: 'answer' }>['answer']): Outcome {
  if (answer.ok === false) return { ok: false, error: toolError(answer.error) }
  if (answer.ok === 'unusable') {
    return { ok: false, error: new ToolCrashed('output', `returned no JSON value: ${answer.fault}`) }
  }
  try {
    return { ok: true, value: outputValue(answer.text) }
  } catch (error) {
    return { ok: false, error }
  }
}
