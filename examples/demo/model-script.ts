import type OpenAI from 'openai'

export type Message = OpenAI.Chat.Completions.ChatCompletionMessageParam

/** What the scripted model answers: a remark, tool calls, or both. */
export interface Reply {
  readonly content: string | null
  readonly calls: readonly ToolCall[]
}

export interface ToolCall {
  readonly name: string
  readonly args: string
}

/**
 * The next step of the scripted model. Like a real one it knows nothing but the conversation: it lists the
 * inbox, reads a document, summarises it, reads the next. It obeys whatever a document orders it to call,
 * as a model can that takes data for instructions, and moves on when the answer is a refusal. When all is done
 * it does not stop: it goes on re-reading one document.
 */
export function nextReply(messages: readonly Message[]): Reply {
  const { documents, texts, summarised, asked, priorities, wasRefused } = readConversation(messages)
  if (documents === undefined) return say('I will look into the inbox first.', call('list_documents', {}))

  for (const [name, text] of texts) {
    for (const order of ordersIn(text)) {
      if (asked.has(key(order))) continue
      const remark = wasRefused ? 'Refused. It also tells me' : `${name} tells me`
      return say(`${remark} to call ${order.name}.`, order)
    }
  }

  const calls: ToolCall[] = []
  for (const [document, text] of texts) {
    if (documents.includes(document) && !summarised.has(document))
      calls.push(summaryOf(document, text, priorities))
  }
  const unread = documents.find((name) => !texts.has(name))
  if (unread !== undefined) calls.push(call('read_document', { document: unread }))
  if (calls.length > 0)
    return { content: wasRefused ? 'Refused as well. I go on with the task.' : null, calls }

  const doubtful = documents.find((name) => name.includes('lease')) ?? documents[0]
  if (doubtful === undefined) return say('The inbox is empty.')
  return say(
    `I am not sure about the dates in ${doubtful}. I will read it again.`,
    call('read_document', { document: doubtful }),
  )
}

interface Conversation {
  /** The inbox, once it was listed. */
  readonly documents: readonly string[] | undefined
  readonly texts: ReadonlyMap<string, string>
  readonly summarised: ReadonlySet<string>
  /** Every call that was answered, whatever the answer. */
  readonly asked: ReadonlySet<string>
  /** What `priority` may be, as far as a refusal has told. */
  readonly priorities: readonly string[]
  /** The last answer was a refusal. */
  readonly wasRefused: boolean
}

function readConversation(messages: readonly Message[]): Conversation {
  const pending = new Map<string, ToolCall>()
  let documents: readonly string[] | undefined
  let priorities: readonly string[] = ['urgent']
  let wasRefused = false
  const texts = new Map<string, string>()
  const summarised = new Set<string>()
  const asked = new Set<string>()
  for (const message of messages) {
    if (message.role === 'assistant') {
      for (const made of message.tool_calls ?? []) {
        if (made.type === 'function')
          pending.set(made.id, { name: made.function.name, args: made.function.arguments })
      }
    }
    if (message.role !== 'tool' || typeof message.content !== 'string') continue
    const made = pending.get(message.tool_call_id)
    if (made === undefined) continue
    asked.add(key(made))
    const answer: unknown = JSON.parse(message.content)
    const args = JSON.parse(made.args) as { document: string; file: string }
    const refusal = (answer as { denied?: { issues?: { message: string }[] } } | null)?.denied
    wasRefused = refusal !== undefined
    if (refusal !== undefined) {
      // Invalid option: expected one of "low"|"normal"|"high"
      const options = [...(refusal.issues?.[0]?.message ?? '').matchAll(/"(\w+)"/g)].map(([, option]) =>
        String(option),
      )
      if (options.length > 0) priorities = options
    } else if (made.name === 'list_documents') documents = answer as string[]
    else if (made.name === 'read_document') texts.set(args.document, String(answer))
    else if (made.name === 'write_summary') summarised.add(args.file)
  }
  return { documents, texts, summarised, asked, priorities, wasRefused }
}

/** The lines of a text that tell the reader which tool to call. */
function ordersIn(text: string): ToolCall[] {
  return [...text.matchAll(/^CALL ([\w-]+) (\{.*\})$/gm)].map(([, name, args]) => ({
    name: String(name),
    args: String(args),
  }))
}

/** The subject and the first sentence with a deadline; no model is needed to make the point. */
function summaryOf(document: string, text: string, priorities: readonly string[]): ToolCall {
  const [, subject = document, rest = text] = /^Subject: (.*)$([\s\S]*)/m.exec(text) ?? []
  const body = rest.replace(/<!--[\s\S]*?-->|^\|.*$/gm, '').replace(/\s+/g, ' ')
  const due = body.split(/(?<=\.) /).find((sentence) => /\b(by|until|no later than) \d/.test(sentence))
  const priority = due === undefined ? priorities[0] : priorities.at(-1)
  return call('write_summary', { file: document, priority, text: `${subject}. ${due ?? ''}`.trim() })
}

function say(content: string, ...calls: ToolCall[]): Reply {
  return { content, calls }
}

function call(name: string, args: object): ToolCall {
  return { name, args: JSON.stringify(args) }
}

function key({ name, args }: ToolCall): string {
  return `${name} ${args}`
}
