// A log that signs itself, and what an intruder can do to it.
// `npx tsx examples/signed-log.ts`
import './support/temporary-folder.js'
import { mkdirSync, readFileSync, writeFileSync } from 'node:fs'
import { Agent, AuditSink, generateSigningKey } from 'writ'
import { VerifierKey, verifyLog } from 'writ/verify'

const { privateKey, publicKey } = generateSigningKey('example.com/audit')
writeFileSync('./audit.key', privateKey, { mode: 0o600 }) // as `npx writ keygen ./audit.key` does
mkdirSync('./elsewhere')
const putSomewhereElse = (checkpoint: string): void => writeFileSync('./elsewhere/checkpoint', checkpoint)

// #region signing
const audit = AuditSink.file('./audit.jsonl', {
  signing: {
    key: './audit.key', // made by `npx writ keygen`; nobody but its owner may read it
    anchor: (checkpoint) => putSomewhereElse(checkpoint), // where this machine cannot change it
  },
})
// #endregion signing

const agent = new Agent({ identity: 'support-bot/v1', budget: { llmCalls: 10 }, audit })
await agent.session('alice', (s) =>
  s.recordLlm({ model: 'm', inputTokens: 12, outputTokens: 30, costUsd: 0.01 }),
)
await agent.close()

const keys = [VerifierKey.parse(publicKey)]
const lines = readFileSync('./audit.jsonl', 'utf8').split('\n')
const beside = [readFileSync('./audit.jsonl.checkpoint')]
const kept = { checkpoints: [readFileSync('./elsewhere/checkpoint')] }
const bytesOf = (some: string[]): Uint8Array => new TextEncoder().encode(some.join('\n'))

const whole = await verifyLog(bytesOf(lines), { keys, checkpoints: beside })
console.log(
  `as it is:            ${whole.verdict} (${whole.assurance}), ${whole.covered} of ${whole.size} records`,
)
const cut = bytesOf([...lines.slice(0, -2), ''])
console.log(`the last record cut: ${(await verifyLog(cut, { keys, checkpoints: beside })).verdict}`)
console.log(`and its checkpoint:  ${(await verifyLog(cut, { keys })).verdict}`)
console.log(`with the anchor:     ${(await verifyLog(cut, { keys, remembered: kept })).verdict}`)
