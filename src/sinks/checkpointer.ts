import type { CompactTree } from '../audit/merkle/compact-tree.js'
import { type Checkpoint, formatCheckpoint, parseCheckpoint } from '../audit/note/checkpoint.js'
import { signNote } from '../audit/note/sign-note.js'
import { parseNote } from '../audit/note/signed-note.js'
import type { SigningKey } from '../audit/note/signing-key.js'
import { AuditDamaged, AuditUnavailable } from '../core/errors.js'
import { type AnchorFailure, Anchoring, anchorText } from './anchoring.js'
import type { Sidecar } from './sidecar.js'
import type { Signing } from './signing-options.js'

/** Sessions may end by the thousand; checkpoints that follow them are this far apart. */
const AFTER_SESSION_MS = 1000

/** The log that is signed. */
export interface SignedLog {
  readonly path: string
  /** The tree over the records written so far. */
  tree(): CompactTree
  /** Resolves when so many records are on stable storage; rejects when they never will be. */
  storedUpTo(size: number): Promise<void>
  /** Checkpoints cannot be written any more. */
  failed(cause: unknown): void
  anchorFailed(failure: AnchorFailure): void
}

/**
 * Signs a log as it grows: what is on stable storage, and never two roots for one size.
 *
 * The order is: the records are stored, their checkpoint is signed, stored in the place of the one before, added
 * to the history, and handed to the anchor.
 */
export class Checkpointer {
  readonly #log: SignedLog
  readonly #sidecar: Sidecar
  readonly #key: SigningKey
  readonly #signing: Signing
  readonly #origin: string
  readonly #anchoring: Anchoring | undefined
  #newest: Checkpoint | undefined
  #size = -1
  #note = ''
  #publishing: Promise<void> | undefined
  #isDue = false
  #publishedAtMs = Number.NEGATIVE_INFINITY
  #timer: ReturnType<typeof setTimeout> | undefined
  #soonTimer: ReturnType<typeof setTimeout> | undefined
  #heartbeat: ReturnType<typeof setTimeout> | undefined
  #isClosed = false

  constructor(log: SignedLog, sidecar: Sidecar, key: SigningKey, signing: Signing) {
    this.#log = log
    this.#sidecar = sidecar
    this.#key = key
    this.#signing = signing
    this.#origin = signing.origin ?? key.name
    const { anchor, anchorTimeoutMs } = signing
    if (anchor !== undefined) {
      this.#anchoring = new Anchoring(anchor, anchorTimeoutMs, (failure) => log.anchorFailed(failure))
    }
  }

  /** What `log_open` says of it. */
  get announcement(): { readonly origin: string; readonly key: string } {
    return { origin: this.#origin, key: this.#key.verifierKey.toString() }
  }

  /**
   * The newest checkpoint that is there, signed by this very key; `undefined` when there is none.
   *
   * @throws {@link AuditDamaged} (ERR_AUDIT_DAMAGED) when it is somebody else's, or of another log.
   */
  newest(): Checkpoint | undefined {
    this.#newest = undefined
    const note = this.#sidecar.read()
    if (note === undefined) return undefined
    const parsed = parseNote(note)
    const checkpoint = parsed.ok ? parseCheckpoint(parsed.value.text) : parsed
    if (!parsed.ok || !checkpoint.ok) {
      throw this.#untrusted(
        `its checkpoint cannot be read: ${checkpoint.ok ? '' : checkpoint.refusal.detail}`,
      )
    }
    // Ed25519 is deterministic: only the holder of the key can have made what this key makes again.
    const { text, signatures } = parsed.value
    const own = parseNote(signNote(text, [this.#key]))
    const expected = own.ok ? own.value.signatures[0] : undefined
    const isOurs = signatures.some(
      ({ name, keyId, signature }) =>
        expected !== undefined &&
        name === expected.name &&
        keyId === expected.keyId &&
        String(signature) === String(expected.signature),
    )
    if (!isOurs) throw this.#untrusted('its checkpoint is not signed by the key that was given')
    if (checkpoint.value.origin !== this.#origin) throw this.#untrusted('its checkpoint is of another origin')
    this.#note = note
    this.#newest = checkpoint.value
    return checkpoint.value
  }

  /**
   * Takes the log up, with the checkpoint that {@link newest} found.
   *
   * @throws {@link AuditUnavailable} (ERR_AUDIT_UNAVAILABLE) for a log with records and without a checkpoint.
   */
  begin(): void {
    const newest = this.#newest
    const { size } = this.#log.tree()
    if (newest === undefined && size > 0 && !this.#signing.adopt) {
      throw new AuditUnavailable(
        `${this.#log.path}: it has ${size} records and no checkpoint in ${this.#sidecar.path}. If it was never ` +
          'signed, verify it and open it once with signing.adopt; if it was, somebody has removed the checkpoint',
        { path: this.#log.path },
      )
    }
    this.#sidecar.repair()
    this.#size = newest?.size ?? -1
    this.publishNow()
  }

  /** Says that records were written. */
  wrote(endsSession: boolean): void {
    if (this.#log.tree().size - this.#size >= this.#signing.everyRecords) {
      this.#request()
      return
    }
    this.#arm()
    if (!endsSession || this.#soonTimer !== undefined) return
    const waitMs = Math.max(0, this.#publishedAtMs + AFTER_SESSION_MS - performance.now())
    this.#soonTimer = unref(
      setTimeout(() => {
        this.#soonTimer = undefined
        this.#request()
      }, waitMs),
    )
  }

  /** Signs at once. Everything MUST be on stable storage already. @throws what the system says. */
  publishNow(): void {
    const { size } = this.#log.tree()
    if (size <= this.#size) return
    const note = this.#sign(size, this.#log.tree().root())
    this.#sidecar.replace(note)
    this.#published(size, note)
  }

  /**
   * Signs what is left, and waits for the anchor.
   *
   * @throws {@link AuditUnavailable} (ERR_AUDIT_UNAVAILABLE) when the last checkpoint was not anchored.
   */
  async close(): Promise<void> {
    this.#isClosed = true
    for (const timer of [this.#timer, this.#soonTimer, this.#heartbeat]) clearTimeout(timer)
    const failure = await this.#anchoring?.drain()
    if (failure !== undefined) {
      throw new AuditUnavailable(`${this.#log.path}: ${anchorText(failure.cause)}`, {
        cause: failure.cause,
        path: this.#log.path,
      })
    }
  }

  /** The work under way, if there is some. It never rejects. */
  get publishing(): Promise<void> | undefined {
    return this.#publishing
  }

  #arm(): void {
    this.#timer ??= unref(
      setTimeout(() => {
        this.#timer = undefined
        this.#request()
      }, this.#signing.everyMs),
    )
  }

  #request(): void {
    if (this.#isClosed) return
    if (this.#publishing !== undefined) {
      this.#isDue = true
      return
    }
    this.#publishing = this.#publish()
      .catch((cause: unknown) => this.#log.failed(cause))
      .finally(() => {
        this.#publishing = undefined
        if (!this.#isDue) return
        this.#isDue = false
        this.#request()
      })
  }

  async #publish(): Promise<void> {
    const { size } = this.#log.tree()
    if (size <= this.#size) return
    const root = this.#log.tree().root()
    await this.#log.storedUpTo(size)
    if (size <= this.#size) return
    const note = this.#sign(size, root)
    await this.#sidecar.replaceSoon(note, () => {
      if (size <= this.#size) return false
      this.#size = size
      return true
    })
    if (this.#size === size) this.#published(size, note)
  }

  #sign(size: number, root: Uint8Array): string {
    return signNote(formatCheckpoint({ origin: this.#origin, size, root }), [this.#key])
  }

  #published(size: number, note: string): void {
    this.#size = size
    this.#note = note
    this.#publishedAtMs = performance.now()
    clearTimeout(this.#timer)
    this.#timer = undefined
    if (this.#log.tree().size > size) this.#arm()
    this.#anchor()
  }

  #anchor(): void {
    const anchoring = this.#anchoring
    if (anchoring === undefined) return
    anchoring.offer(this.#note, this.#size)
    clearTimeout(this.#heartbeat)
    this.#heartbeat = unref(setTimeout(() => this.#anchor(), this.#signing.heartbeatMs))
  }

  #untrusted(detail: string): AuditDamaged {
    return new AuditDamaged(this.#log.path, 'UNTRUSTED', 0, 0, detail)
  }
}

function unref<T extends ReturnType<typeof setTimeout>>(timer: T): T {
  timer.unref?.()
  return timer
}
