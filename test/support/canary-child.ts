import { Agent, AuditSink, defineTool, ScopeKeys, type Session, type StandardSchema } from 'writ'
import * as z from 'zod'
import { canary, type Place } from './canaries.js'

/**
 * A program that keeps a secret in every place it can, and logs to a file, a webhook and its own output. It
 * prints each object it has as well, as somebody who looks for a fault would.
 */
const [path = '', url = '', keys = ''] = process.argv.slice(2)

class Leaky extends Error {
  readonly request: object
  readonly code: string

  constructor(place: Place) {
    super(canary(place), {
      cause: new Error(canary('error cause'), { cause: { [canary('error cause')]: 1 } }),
    })
    this.name = canary('error name')
    this.code = canary('error code')
    this.stack = `Leaky: ${canary('error stack')}`
    this.request = { headers: { authorization: canary('error member') } }
  }
}

const boom = (place: Place): never => {
  throw new Leaky(place)
}
/** An error whose name and code are sentences, which are no names. */
const sentence = (): Error =>
  Object.assign(new Error('x'), {
    name: `token ${canary('error sentence')}`,
    code: `E ${canary('error sentence')}`,
  })

const loose: StandardSchema = {
  '~standard': { version: 1, vendor: 'canary', validate: (value) => ({ value }) },
}
const odd: StandardSchema = {
  '~standard': {
    version: 1,
    vendor: 'canary',
    validate: () => ({
      issues: [{ message: canary('schema message'), path: [canary('schema path')], code: 'a b' } as never],
    }),
  },
}
const card = z.object({
  card: z.string(),
  items: z.array(z.object({ sku: z.string(), tags: z.array(z.array(z.string())) })),
  key: z.string().default(canary('default')),
})

const tools = {
  pay: defineTool({
    description: canary('description'),
    inputSchema: card,
    commit: ['', '/card', '/items/0/tags'],
    execute: () => ({ [canary('output')]: [canary('output')] }),
  }),
  never: defineTool({ inputSchema: card, commit: ['/card'], when: () => false, execute: () => 1 }),
  torn: defineTool({ inputSchema: card, when: () => boom('predicate error'), execute: () => 1 }),
  shown: defineTool({ inputSchema: card, redact: () => canary('redacted'), execute: () => 1 }),
  hidden: defineTool({ inputSchema: card, redact: () => boom('redact error'), execute: () => 1 }),
  fail: defineTool({ inputSchema: loose, execute: () => Promise.reject(new Leaky('tool error')) }),
  mumble: defineTool({ inputSchema: loose, execute: () => Promise.reject(sentence()) }),
  lie: defineTool({
    inputSchema: loose,
    outputSchema: z.strictObject({ ok: z.boolean() }),
    execute: () => ({ [canary('output refused')]: canary('output refused') }) as never,
  }),
  odd: defineTool({ inputSchema: odd, execute: () => 1 }),
  lost: defineTool({ inputSchema: card, commit: ['/card'], execute: () => 1 }),
}
const input = {
  card: canary('value'),
  items: [{ sku: canary('value'), tags: [[canary('nested value')]] }],
  [canary('name')]: canary('value of a made-up name'),
}

const folder = ScopeKeys.folder(keys)
const scopeKeys = {
  keyFor: (user: string) => (user === 'lost' ? boom('key store error') : folder.keyFor(user)),
}
const audit = AuditSink.composite(
  AuditSink.file(path, { durability: 'os' }),
  AuditSink.webhook(`${url}&token=${canary('url')}`, {
    headers: { authorization: `Bearer ${canary('header')}` },
    secret: `whsec_${Buffer.from(canary('webhook secret')).toString('base64')}`,
    name: canary('sink'),
  }),
  AuditSink.stdout(),
)
const agent = new Agent({
  identity: 'canary-bot/v1',
  budget: { toolCalls: 100, denials: 100, usd: 100 },
  tools,
  audit,
  scopeKeys,
  prices: { name: canary('price source'), price: () => ({ inputUsdPerMTok: 1, outputUsdPerMTok: 1 }) },
})

const quietly = (work: () => unknown): Promise<unknown> =>
  Promise.resolve()
    .then(work)
    .catch(() => undefined)

async function story(s: Session<typeof tools>): Promise<void> {
  for (const name of Object.keys(tools)) {
    await quietly(() => s.dispatch({ id: canary('call id'), name, input }))
    await quietly(() => s.dispatch({ name, input: JSON.stringify(input) }))
    await quietly(() => s.dispatch({ name, input: `{"${canary('broken JSON')}": ` }))
    await quietly(() => s.dispatch({ name, input: { ...input, card: { [canary('wrong input')]: 1 } } }))
    await quietly(() => s.dispatch({ name, input: { card: () => canary('wrong input') } }))
  }
  await quietly(() => s.dispatch({ name: canary('tool name'), input }))
  const usage = { model: canary('model'), inputTokens: 1, outputTokens: 1 }
  s.recordLlm(usage)
  await quietly(() => s.recordLlm({ ...usage, inputTokens: canary('usage') as never }))
  await quietly(() => s.recordLlm({ ...usage, [canary('usage')]: 1 } as never))
  const request = { model: canary('model'), maxUsd: 1 }
  await quietly(() =>
    s.callLlm(
      request,
      () => canary('reply'),
      () => usage,
    ),
  )
  await quietly(() =>
    s.callLlm(
      request,
      () => boom('model error'),
      () => usage,
    ),
  )
  await quietly(() =>
    s.callLlm(
      request,
      () => 'x',
      () => boom('usage error'),
    ),
  )
  console.log(s, s.usage(), s.remaining(), String(s.signal.reason))
  console.dir(s, { depth: 9, showHidden: true })
}

await quietly(() => agent.session(canary('user'), story, { task: canary('task') }))
await quietly(() => agent.session('lost', (s) => s.dispatch({ name: 'lost', input })))
await quietly(() => agent.session('bob', () => boom('session error')))
const caller = new AbortController()
const ended = quietly(() =>
  agent.session('carol', () => new Promise(() => undefined), { signal: caller.signal }),
)
await new Promise(setImmediate)
caller.abort(new Leaky('abort reason'))
await ended
for (const object of [agent, audit, folder, tools.pay.commit, ScopeKeys]) {
  console.dir(object, { depth: 9, showHidden: true })
  console.error(JSON.stringify(object))
}
await agent.close()
