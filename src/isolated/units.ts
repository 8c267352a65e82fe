import { systemClock, type TimerHandle } from '../core/clock.js'
import type { Job } from './job.js'
import type { IsolatedSettings } from './options.js'
import type { Order } from './protocol.js'

/** One worker thread or process. */
export interface Unit {
  readonly id: number
  /** True once its module is loaded. */
  isReady: boolean
  /** True once it is to be ended: it gets no more calls. */
  isStopping: boolean
  /** Calls that it was given. */
  calls: number
  job: Job | undefined
  idleSinceMs: number
}

/** The workers of a pool that are alive. */
export class Units {
  readonly #settings: IsolatedSettings
  readonly #send: (order: Order) => void
  readonly #units = new Map<number, Unit>()
  #started = 0
  #sweep: TimerHandle | undefined

  constructor(settings: IsolatedSettings, send: (order: Order) => void) {
    this.#settings = settings
    this.#send = send
  }

  get size(): number {
    return this.#units.size
  }

  /** How many have not loaded their module yet. */
  get starting(): number {
    let count = 0
    for (const unit of this.#units.values()) if (!unit.isReady && !unit.isStopping) count += 1
    return count
  }

  get isBusy(): boolean {
    for (const unit of this.#units.values()) if (unit.job !== undefined) return true
    return false
  }

  get(id: number): Unit | undefined {
    return this.#units.get(id)
  }

  /** One that can take a call at once. */
  free(): Unit | undefined {
    for (const unit of this.#units.values()) {
      if (unit.isReady && !unit.isStopping && unit.job === undefined) return unit
    }
    return undefined
  }

  of(job: Job): Unit | undefined {
    for (const unit of this.#units.values()) if (unit.job === job) return unit
    return undefined
  }

  start(): void {
    const id = ++this.#started
    this.#send({ type: 'start', unit: id })
    this.#units.set(id, {
      id,
      isReady: false,
      isStopping: false,
      calls: 0,
      job: undefined,
      idleSinceMs: Number.POSITIVE_INFINITY,
    })
  }

  give(unit: Unit, job: Job, leftMs: number): void {
    unit.job = job
    unit.calls += 1
    const { input, facts } = job
    this.#send({ type: 'call', unit: unit.id, call: unit.calls, input, facts, leftMs })
  }

  stop(unit: Unit, graceMs: number): void {
    if (unit.isStopping) return
    unit.isStopping = true
    this.#send({ type: 'stop', unit: unit.id, graceMs })
  }

  stopAll(): void {
    for (const unit of this.#units.values()) this.stop(unit, 0)
  }

  /** It has ended. */
  delete(unit: Unit): void {
    this.#units.delete(unit.id)
  }

  /** All have ended. */
  clear(): void {
    this.#units.clear()
  }

  /** Takes every call away from its worker. */
  takeJobs(): Job[] {
    const jobs: Job[] = []
    for (const unit of this.#units.values()) {
      if (unit.job !== undefined) jobs.push(unit.job)
      unit.job = undefined
    }
    return jobs
  }

  /** Looks once, when the time has come, for workers that nobody has used. */
  sweepLater(): void {
    const { idleMs, min } = this.#settings
    if (this.#sweep !== undefined || this.#units.size <= min) return
    const sweep = (): void => {
      this.#sweep = undefined
      this.#stopIdle()
      this.sweepLater()
    }
    this.#sweep = systemClock.setTimer(sweep, Math.max(idleMs, 1), true)
  }

  sweepNever(): void {
    if (this.#sweep !== undefined) systemClock.clearTimer(this.#sweep)
  }

  #stopIdle(): void {
    const beforeMs = systemClock.monotonicMs() - this.#settings.idleMs
    let left = this.#units.size
    for (const unit of this.#units.values()) {
      if (left <= this.#settings.min) return
      if (unit.isStopping || unit.job !== undefined || unit.idleSinceMs > beforeMs) continue
      this.stop(unit, 0)
      left -= 1
    }
  }
}
