import type { ServerIdentity } from '../pin-check.js'
import { checkPins, serversWith } from './check-pins.js'
import { type Definition, definitionDigest, nameOf } from './definition.js'
import type { Pin, Pins } from './pins.js'

/**
 * The pins with the definitions of some tools as they are now; those of tools that the server has no more are
 * taken out when they are named.
 *
 * @param names which tools.
 * @throws RangeError for a tool that the server neither has nor had, and for one that another tool of the same
 *   server cannot be told from: accepting either would accept both.
 */
export function acceptPins(
  pins: Pins,
  server: ServerIdentity,
  tools: readonly unknown[],
  names: readonly string[],
): Pins {
  const { server: configured, name: calledItself = '' } = server
  const before = pins.servers.get(configured)
  // A digest holds what the server calls itself: the pins of one that has another name now hold of nothing.
  const kept = new Map<string, Pin>(before?.name === calledItself ? before.tools : [])
  const statuses = checkPins(pins, server, tools)
  for (const name of names) {
    const status = statuses.find((one) => one.name === name)
    if (status === undefined) throw new RangeError(`the server has no tool ${name}`)
    if (status.verdict === 'removed') {
      kept.delete(name)
      continue
    }
    const definition = tools.find((tool) => nameOf(tool) === name) as Definition
    const digest = definitionDigest(configured, calledItself, definition)
    if (digest === undefined) throw new RangeError(`${name}: its definition is too large or no JSON`)
    const besides = serversWith(pins, configured, name)
    if (status.verdict === 'shadowed' && besides.length === 0) {
      throw new RangeError(`${name}: ${status.why}; neither can be accepted`)
    }
    kept.set(name, Object.freeze({ digest, definition, besides }))
  }
  const servers = new Map(pins.servers)
  servers.set(configured, Object.freeze({ name: calledItself, version: server.version, tools: kept }))
  return Object.freeze({ servers })
}
