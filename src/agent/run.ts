import type { Session, SyncSession } from '../contract/session-types.js'
import type { ToolSet } from '../contract/tool.js'
import { isThenable } from '../core/guards.js'
import { type Ambient, runInside } from '../session/async-context.js'
import type { SessionCore } from '../session/core.js'
import { AsyncSession } from '../session/session.js'
import type { SessionOwner } from '../session/session-owner.js'
import { BlockingSession } from '../session/session-sync.js'

/** It ends itself. The log keeps its failure for the next caller. */
function close({ handle }: Ambient): void {
  ;(handle as AsyncSession | undefined)?.close().catch(() => undefined)
}

/** The owner of a session that was opened without a callback. */
export const NOBODY: SessionOwner = { onInterrupt: (_reason, session) => close(session), onDrained: close }

/**
 * Runs a callback in an open session and ends the session: once the callback has settled, or as soon as
 * what is under way has to stop, whatever the callback is waiting for.
 */
export async function runSession<Tools extends ToolSet, T>(
  core: SessionCore,
  callback: (session: Session<Tools>) => Promise<T> | T,
): Promise<T> {
  const session = new AsyncSession<Tools>(core)
  let result: Result<T>
  try {
    const value = await new Promise<T>((resolve, reject) => {
      core.owner = { onInterrupt: reject }
      runInside(core, async () => callback(session)).then(resolve, reject)
    })
    result = { ok: true, value }
  } catch (error) {
    result = { ok: false, error }
  }
  try {
    end(core, result)
    await core.agent.log.flush()
    if (core.released !== undefined) await core.released
  } catch (error) {
    if (result.ok) result = { ok: false, error }
  }
  return unwrap(core, result)
}

/** As {@link runSession}, without waiting. */
export function runSessionSync<Tools extends ToolSet, T>(
  core: SessionCore,
  callback: (session: SyncSession<Tools>) => T,
): T {
  const session = new BlockingSession<Tools>(core)
  let result: Result<T>
  try {
    const value = runInside(core, () => callback(session))
    if (isThenable(value)) {
      value.then(undefined, () => undefined)
      throw new TypeError('sessionSync: the callback returned a promise; use session()')
    }
    result = { ok: true, value }
  } catch (error) {
    result = { ok: false, error }
  }
  try {
    end(core, result)
    core.agent.log.flushSync()
  } catch (error) {
    if (result.ok) result = { ok: false, error }
  }
  return unwrap(core, result)
}

type Result<T> = { readonly ok: true; readonly value: T } | { readonly ok: false; readonly error: unknown }

function end<T>(core: SessionCore, result: Result<T>): void {
  if (result.ok) core.end('completed')
  else core.end('failed', result.error)
}

/** What killed or cancelled the session goes before whatever its callback made of it. */
function unwrap<T>(core: SessionCore, result: Result<T>): T {
  const { endedBy } = core.lifecycle
  if (endedBy !== undefined) throw endedBy.error
  if (!result.ok) throw result.error
  return result.value
}
