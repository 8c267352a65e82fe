import { AuditSink } from 'writ'
import type { Durability } from '../../src/sinks/durability.js'
import { makeAgent } from './crash-agent.js'

/** Appends records and leaves in the same turn, before anything could be written. */
const [path = '', durability, way] = process.argv.slice(2)
const agent = makeAgent(AuditSink.file(path, { durability: durability as Durability }), () => undefined)
const session = agent.open('alice')
for (let call = 0; call < 500; call++) {
  session.recordLlm({ model: 'm', inputTokens: call, outputTokens: 1, costUsd: 0.001 })
}
if (way === 'exit') process.exit(3)
if (way === 'throw') throw new RangeError('nobody catches this')
