import { createHmac } from 'node:crypto'
import { Agent, AuditSink, defineTool, ScopeKeys, type StandardSchema, type ToolDefinition } from 'writ'
import { anything, type MemorySink } from './tools.js'

/** A tool that commits to these places of any input. */
export const committing = (
  commit: readonly string[],
  more: Partial<ToolDefinition<StandardSchema, unknown, undefined>> = {},
) => defineTool({ inputSchema: anything, commit, execute: () => 'paid', ...more })

/** An agent with the tool `pay`. */
export function payAgent(
  pay: ReturnType<typeof committing>,
  scopeKeys: ScopeKeys = ScopeKeys.memory(),
): { agent: Agent<{ pay: typeof pay }>; sink: MemorySink } {
  const sink = AuditSink.memory()
  const agent = new Agent({
    identity: 'bench-bot/v1',
    budget: { toolCalls: 1000 },
    tools: { pay },
    audit: sink,
    scopeKeys,
  })
  return { agent, sink }
}

/** The construction of docs/audit-log.md once more, without Writ. */
export function commitmentOf(
  scopeKey: Uint8Array,
  callId: string,
  pointer: string,
  canonical: string,
): string {
  const key = createHmac('sha256', scopeKey)
    .update(`writ/commitment/v1\0${callId}\0${pointer}`, 'utf8')
    .digest()
  return createHmac('sha256', key).update(canonical, 'utf8').digest('hex')
}
