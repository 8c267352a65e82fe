import { Agent, type AuditSink, defineTool, type StandardSchema, type Tool } from 'writ'

const anything: StandardSchema = {
  '~standard': { version: 1, vendor: 'test', validate: (value) => ({ value }) },
}

/** An agent with one tool, `act`, that tells `started` of every call it runs. */
export function makeAgent(audit: AuditSink, started: (callId: string) => void): Agent<{ act: Tool }> {
  const act = defineTool({ inputSchema: anything, execute: (_, { callId }) => started(callId) }) as Tool
  return new Agent({ identity: 'crash-bot/v1', budget: { toolCalls: 1_000_000 }, audit, tools: { act } })
}
