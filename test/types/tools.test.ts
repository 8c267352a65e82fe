/** What the compiler says of definitions: checked by `npm run types`, never run. */
import {
  Agent,
  type AgentOptions,
  AuditSink,
  type Budget,
  type CustomSink,
  type Decision,
  defineTool,
  type StandardSchema,
  type Tool,
  type ToolSet,
} from 'writ'
import * as z from 'zod'
import { same } from './same.js'

const orders = z.object({ orderId: z.number() })

export const good = defineTool({
  description: 'x',
  inputSchema: orders,
  outputSchema: z.string(),
  when: async ({ orderId }, { signal, session, callId }) => {
    same<[typeof orderId, typeof signal, typeof callId], [number, AbortSignal, string]>()
    return session.usage().usd < 1
  },
  redact: ({ orderId }) => [orderId],
  readOnly: true,
  timeoutMs: 5,
  maxCalls: 5,
  execute: ({ orderId }, { session }) => `${session.principal} ${orderId}`,
})
same<typeof good, Tool<typeof orders, string>>()

// @ts-expect-error no schema
defineTool({ execute: () => 1 })
// @ts-expect-error nothing to run
defineTool({ inputSchema: orders })
// @ts-expect-error no schema that anybody could ask
defineTool({ inputSchema: { type: 'object' }, execute: () => 1 })
// @ts-expect-error a member that there is not
defineTool({ inputSchema: orders, whem: () => true, execute: () => 1 })
// @ts-expect-error a predicate that answers with a number
defineTool({ inputSchema: orders, when: () => 1, execute: () => 1 })
// @ts-expect-error a predicate that answers with nothing
defineTool({ inputSchema: orders, when: () => undefined, execute: () => 1 })
// @ts-expect-error a predicate for another input
defineTool({ inputSchema: orders, when: ({ sku }) => sku > 0, execute: () => 1 })
// @ts-expect-error a tool for another input
defineTool({ inputSchema: orders, execute: ({ sku }) => sku })
// @ts-expect-error an output that its own schema refuses
defineTool({ inputSchema: orders, outputSchema: z.string(), execute: () => 1 })
// @ts-expect-error a time that is no number
defineTool({ inputSchema: orders, timeoutMs: '5', execute: () => 1 })
defineTool({
  inputSchema: orders,
  execute: (input) => {
    // @ts-expect-error an input has the members that its schema declares, and no others
    input.sku = 1
  },
})

/** A schema of any library that keeps to Standard Schema gives its types. */
declare const foreign: StandardSchema<{ readonly from: string }, { readonly to: number }>
export const translated = defineTool({ inputSchema: foreign, execute: ({ to }) => to + 1 })
same<typeof translated, Tool<typeof foreign, number>>()

const audit = AuditSink.memory()

// @ts-expect-error no identity
new Agent({ budget: { usd: 1 }, audit })
// @ts-expect-error no budget
new Agent({ identity: 'bot', audit })
// @ts-expect-error no log
new Agent({ identity: 'bot', budget: { usd: 1 } })
// @ts-expect-error an option that there is not
new Agent({ identity: 'bot', budget: { usd: 1 }, audit, tool: {} })
// @ts-expect-error a tool that is none
new Agent({ identity: 'bot', budget: { usd: 1 }, audit, tools: { refund: () => 1 } })
// @ts-expect-error a path is no sink
new Agent({ identity: 'bot', budget: { usd: 1 }, audit: './audit.jsonl' })
// @ts-expect-error a limit cannot be undefined: leave it out
new Agent({ identity: 'bot', budget: { usd: undefined }, audit })
new Agent({ identity: 'bot', budget: { usd: 1 }, audit: AuditSink.composite(audit, AuditSink.stdout()) })

// @ts-expect-error a limit that there is not
export const budget: Budget = { dollars: 5 }
export const options: AgentOptions<{ good: typeof good }> = {
  identity: 'bot',
  budget: {},
  audit,
  tools: { good },
}
// @ts-expect-error a sink that cannot say when it has written
export const sink: CustomSink = { name: 'x', durable: true, open: () => undefined, append: () => undefined }
export const someTools: ToolSet = { good, translated }

const agent = new Agent({ identity: 'bot', budget: { usd: 1 }, audit, tools: { good } })
export const names = agent.toolSchemas('openai').map((tool) => tool.function.name)
export const inputs = agent.toolSchemas('anthropic').map((tool) => tool.input_schema)
export const listed = agent.toolSchemas('mcp').map((tool) => tool.inputSchema)
// @ts-expect-error a format that there is not
agent.toolSchemas('gemini')
// @ts-expect-error the member of another format
agent.toolSchemas('anthropic').map((tool) => tool.function)

export function read(decision: Decision): string {
  if (decision.allowed) return decision.tool
  // @ts-expect-error a reason that there is not
  if (decision.reason === 'forbidden') return 'never'
  return decision.issues?.[0]?.code ?? decision.message
}
