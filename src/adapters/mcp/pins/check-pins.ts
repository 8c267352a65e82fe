import type { PinVerdict, ServerIdentity } from '../pin-check.js'
import { type Definition, definitionDigest, nameOf } from './definition.js'
import { type Difference, differences } from './definition-diff.js'
import type { Pin, Pins } from './pins.js'
import { skeletonOf } from './skeleton.js'

/** A tool that a server lists, or one that was accepted and is not listed any more. */
export interface PinStatus {
  readonly name: string
  readonly verdict: PinVerdict['verdict'] | 'removed'
  readonly why?: string
  /** What has changed since it was accepted. */
  readonly differences: readonly Difference[]
}

/**
 * Compares the tools that a server lists with those that were accepted.
 *
 * @param tools all tools of the server, as it lists them.
 * @returns one status for each tool, in their order; then those that were accepted and are gone.
 */
export function checkPins(
  pins: Pins,
  server: ServerIdentity,
  tools: readonly unknown[],
): readonly PinStatus[] {
  const known = pins.servers.get(server.server)
  const calledItself = server.name ?? ''
  const skeletons = new Map<string, number>()
  for (const tool of tools) {
    const skeleton = skeletonOf(nameOf(tool) ?? '')
    skeletons.set(skeleton, (skeletons.get(skeleton) ?? 0) + 1)
  }
  const listed = tools.map((tool): PinStatus => {
    const name = nameOf(tool)
    if (name === undefined) return { name: '', verdict: 'changed', why: 'it has no name', differences: [] }
    if ((skeletons.get(skeletonOf(name)) ?? 0) > 1) {
      return {
        name,
        verdict: 'shadowed',
        why: 'the server has another tool whose name looks like it',
        differences: [],
      }
    }
    return statusOf(name, tool as Definition, known?.tools.get(name), {
      besides: serversWith(pins, server.server, name),
      digest: definitionDigest(server.server, calledItself, tool),
      renamed: known === undefined || known.name === calledItself ? undefined : [known.name, calledItself],
    })
  })
  const names = new Set(listed.map(({ name }) => name))
  const removed = [...(known?.tools.keys() ?? [])]
    .filter((name) => !names.has(name))
    .map(
      (name): PinStatus => ({ name, verdict: 'removed', why: 'the server has it no more', differences: [] }),
    )
  return [...listed, ...removed]
}

interface Seen {
  readonly besides: readonly string[]
  readonly digest: string | undefined
  /** What the server called itself, and what it does now, where that differs. */
  readonly renamed: readonly [before: string, after: string] | undefined
}

function statusOf(name: string, tool: Definition, pin: Pin | undefined, seen: Seen): PinStatus {
  const { besides, digest, renamed } = seen
  if (digest === undefined) {
    return { name, verdict: 'changed', why: 'its definition is too large or no JSON', differences: [] }
  }
  const others = besides.filter((other) => pin?.besides.includes(other) !== true)
  if (others.length > 0) {
    return {
      name,
      verdict: 'shadowed',
      why: `a tool whose name looks like it was accepted of ${others.join(', ')}`,
      differences: [],
    }
  }
  if (pin === undefined) {
    return { name, verdict: 'new', why: 'nobody has accepted it', differences: differences(undefined, tool) }
  }
  if (pin.digest === digest) return { name, verdict: 'same', differences: [] }
  const changed = differences(pin.definition, tool)
  return {
    name,
    verdict: 'changed',
    why:
      renamed === undefined
        ? `its definition has changed at ${placesOf(changed)}`
        : `the server called itself ${renamed[0]}, and now ${renamed[1]}`,
    differences: changed,
  }
}

function placesOf(changed: readonly Difference[]): string {
  const places = changed.slice(0, 5).map(({ pointer }) => pointer)
  return changed.length > places.length ? `${places.join(', ')} and more` : places.join(', ')
}

/** Other servers of which a tool was accepted that cannot be told from this one by its name. */
export function serversWith(pins: Pins, configured: string, name: string): readonly string[] {
  const skeleton = skeletonOf(name)
  return [...pins.servers]
    .filter(([server]) => server !== configured)
    .filter(([, { tools }]) => [...tools.keys()].some((other) => skeletonOf(other) === skeleton))
    .map(([server]) => server)
}
