import type { AnySession, Session } from '../../index.js'

/** What only an {@link mcpTool} knows an answer to; no input of a request is a bigint. */
export const PROBE: bigint = crypto
  .getRandomValues(new BigUint64Array(4))
  .reduce((all, part) => (all << 64n) | part, 1n)

/** What it answers. */
export const PROBED = 'writ_mcp_tool'

const known = new WeakMap<AnySession, Map<string, boolean>>()

/**
 * Whether a tool of a session is one that a server runs. Any other tool of that name is the agent's own: a server
 * that declares one like it does not speak for it.
 *
 * @throws what ended the session.
 */
export async function isMcpTool(session: AnySession, name: string): Promise<boolean> {
  const names = known.get(session) ?? new Map<string, boolean>()
  known.set(session, names)
  const before = names.get(name)
  if (before !== undefined) return before
  if (!session.tools.includes(name)) return false
  // Nothing is charged, recorded or run, and no schema but ours takes it.
  const decision = await (session as Session).authorize(name, PROBE)
  const found = !decision.allowed && decision.issues?.[0]?.code === PROBED
  names.set(name, found)
  return found
}
