import { isBetween, type MeterNode } from '../contract/meter.js'
import type { Live } from './live.js'

/** A session as the one it is nested in ends it. */
export interface NestedSession {
  readonly id: string
  readonly subtree: Subtree | undefined
  cancel(reason: unknown): void
  end(outcome: 'failed'): void
}

/** A session that others are nested in. */
interface Parent {
  subtree: Subtree | undefined
  enter(live: Live): void
  leave(live: Live): void
}

/** The sessions nested in one that have not ended. */
export class Subtree {
  readonly #open = new Set<NestedSession>()

  /** Puts a session among what the one it is nested in, if any, has to end. */
  static join<S extends NestedSession & Live>(parent: Parent | undefined, session: S): void {
    if (parent === undefined) return
    parent.enter(session)
    parent.subtree ??= new Subtree()
    parent.subtree.#open.add(session)
  }

  /** Takes out a session that has ended. */
  static leave<S extends NestedSession & Live>(parent: Parent | undefined, session: S): void {
    parent?.leave(session)
    if (parent?.subtree !== undefined) parent.subtree.#open.delete(session)
  }

  /** The one with this id, at any depth. */
  find(id: string): NestedSession | undefined {
    for (const session of this.#open) {
      const found = session.id === id ? session : session.subtree?.find(id)
      if (found !== undefined) return found
    }
    return undefined
  }

  /** Records the end of every one of them, the innermost first. */
  end(): void {
    for (const session of [...this.#open]) endNow(session)
  }

  /** Stops one of them and all that is nested in it, and records their ends. */
  revoke(session: NestedSession, reason: unknown): void {
    session.cancel(reason)
    endNow(session)
  }
}

function endNow(session: NestedSession): void {
  try {
    session.end('failed')
  } catch {
    // The log has failed: what comes next is told so as well.
  }
}

/** The session whose limit a node of the path is: this one, or one that it is nested in. */
export function ownerOf<S extends { readonly meter: MeterNode; readonly parent: S | undefined }>(
  session: S,
  node: MeterNode,
): S {
  let owner = session
  while (owner.parent !== undefined && !isBetween(node, owner.meter, owner.parent.meter)) owner = owner.parent
  return owner
}
