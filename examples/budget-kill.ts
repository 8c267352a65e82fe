// Three ways to run out, none of which the code inside can get around. `npx tsx examples/budget-kill.ts`
import './support/temporary-folder.js'
import { Agent, AuditSink, BudgetExceeded, BudgetReserved, type Session } from 'writ'
import { provider } from './support/stand-in-provider.js'

const agent = new Agent({
  identity: 'runaway/v1',
  budget: { usd: 1, tokens: 50_000, wallMs: 10_000 },
  audit: AuditSink.file('./audit.jsonl', { durability: 'os' }),
})

/** A model call that may cost up to `maxUsd`. */
// #region callLlm
const ask = (s: Session, prompt: string, maxUsd: number) =>
  s.callLlm(
    { model: 'claude-sonnet-4-5', maxTokens: 1_000, maxUsd }, // held before the call
    (signal) => provider.chat(prompt, { signal }), // run under the session's deadline
    (reply) => reply.usage, // charged when it is over; the rest of the hold is given back
  )
// #endregion callLlm

console.log('1. A loop that catches every error and returns a value all the same:')
// #region swallow
const stubborn = async (s: Session) => {
  for (;;) {
    try {
      await ask(s, 'Once more.', 0.02) // a model call that may cost $0.02
    } catch {
      if (s.state !== 'open') return 'all is well'
    }
  }
}
try {
  await agent.session('alice', stubborn, { budget: { usd: 0.05 } }) // below the agent's own limit
} catch (error) {
  if (!(error instanceof BudgetExceeded)) throw error
  console.log(`   ${error.code}: ${error.limit}, used ${error.used} of ${error.max}`)
}
// #endregion swallow

console.log('2. A callback that waits for something that never comes:')
const started = performance.now()
try {
  await agent.session('alice', () => new Promise(() => undefined), { budget: { wallMs: 100 } })
} catch (error) {
  if (!(error instanceof BudgetExceeded)) throw error
  const seconds = ((performance.now() - started) / 1000).toFixed(1)
  console.log(`   ${error.code}: ${error.limit} is limited to ${error.max}, rejected after ${seconds} s`)
}

console.log('3. Fifty parallel calls that may cost one dollar each, under a limit of one dollar:')
await agent.session('alice', async (s) => {
  const all = await Promise.allSettled(Array.from({ length: 50 }, () => ask(s, 'Now.', 1)))
  const refused = all.filter((one) => one.status === 'rejected' && one.reason instanceof BudgetReserved)
  console.log(`   ${all.length - refused.length} ran, ${refused.length} were refused: the money was held`)
  console.log(`   the session is ${s.state}; spent $${s.usage().usd}, left $${s.remaining().usd}`)
})

await agent.close()
