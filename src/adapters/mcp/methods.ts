/**
 * What may be asked of a server without asking the contract: what opens a connection, what only lists, and what
 * ends something. Every other method is governed, or refused.
 */
export const PASSED_TO_SERVER: ReadonlySet<string> = new Set([
  'initialize',
  'ping',
  'server/discover',
  'completion/complete',
  'logging/setLevel',
  'prompts/list',
  'resources/list',
  'resources/templates/list',
  'resources/unsubscribe',
  'subscriptions/listen',
  'tools/list',
])

/** What may be asked of a client without asking the contract. */
export const PASSED_TO_CLIENT: ReadonlySet<string> = new Set(['ping', 'roots/list'])

/** What a client may be told: nothing of it can be answered. */
export const TOLD_TO_CLIENT: ReadonlySet<string> = new Set([
  'notifications/cancelled',
  'notifications/elicitation/complete',
  'notifications/message',
  'notifications/progress',
  'notifications/prompts/list_changed',
  'notifications/resources/list_changed',
  'notifications/resources/updated',
  'notifications/subscriptions/acknowledged',
  'notifications/tools/list_changed',
])

/** What a server may be told. */
export const TOLD_TO_SERVER: ReadonlySet<string> = new Set([
  'notifications/cancelled',
  'notifications/initialized',
  'notifications/progress',
  'notifications/roots/list_changed',
])

/**
 * The methods that are governed beside `tools/call`, each as a tool of this name, with the parameters as its
 * input. An agent that has no such tool refuses them.
 */
export const METHOD_TOOLS = {
  'resources/read': 'mcp_resources_read',
  'resources/subscribe': 'mcp_resources_subscribe',
  'prompts/get': 'mcp_prompts_get',
  'sampling/createMessage': 'mcp_sampling_create_message',
  'elicitation/create': 'mcp_elicitation_create',
} as const

/** The methods that a client asks a server for, and the tools that stand for them. */
export const ASKED_OF_SERVER: ReadonlyMap<string, string> = new Map([
  ['resources/read', METHOD_TOOLS['resources/read']],
  ['resources/subscribe', METHOD_TOOLS['resources/subscribe']],
  ['prompts/get', METHOD_TOOLS['prompts/get']],
])

/** The methods that a server asks a client for, and the tools that stand for them. */
export const ASKED_OF_CLIENT: ReadonlyMap<string, string> = new Map([
  ['sampling/createMessage', METHOD_TOOLS['sampling/createMessage']],
  ['elicitation/create', METHOD_TOOLS['elicitation/create']],
])

/** Begins the names of tools that stand for methods: no tool of a server has one of them. */
export const METHOD_PREFIX = 'mcp_'
