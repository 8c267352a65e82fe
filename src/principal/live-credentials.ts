interface Issued {
  readonly sessionId: string
  readonly isLive: () => boolean
}

/** Where the first look for what has ended is worth its time. */
const FIRST_SWEEP = 256

/**
 * What was issued and may still be good. What has ended is forgotten when there is twice as much as was
 * left the last time: forgotten or ended, it is not active.
 */
export class LiveCredentials {
  readonly #issued = new Map<string, Issued>()
  #sweepAt = FIRST_SWEEP

  add(jti: string, sessionId: string, isLive: () => boolean): void {
    if (this.#issued.size >= this.#sweepAt) this.#sweep()
    this.#issued.set(jti, { sessionId, isLive })
  }

  isActive(jti: string): boolean {
    const issued = this.#issued.get(jti)
    if (issued === undefined) return false
    const isLive = issued.isLive() === true
    if (!isLive) this.#issued.delete(jti)
    return isLive
  }

  /** Returns how many were revoked. */
  revoke(id: string): number {
    let revoked = 0
    for (const [jti, { sessionId }] of this.#issued) {
      if (jti !== id && sessionId !== id) continue
      this.#issued.delete(jti)
      revoked += 1
    }
    return revoked
  }

  #sweep(): void {
    for (const [jti, { isLive }] of this.#issued) if (isLive() !== true) this.#issued.delete(jti)
    this.#sweepAt = Math.max(FIRST_SWEEP, this.#issued.size * 2)
  }
}
