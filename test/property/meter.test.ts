import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import type { Limits } from '../../src/contract/budget.js'
import { type Breach, type CountName, type Hold, Meter, NOTHING } from '../../src/contract/meter.js'

/*
 * A tree of meters under random calls, next to a model that keeps nothing but a list of what was charged and
 * a list of what is held, and adds them up anew for every question.
 */

type Amount = readonly [usd: number, tokens: number]

interface Node {
  readonly meter: Meter
  readonly limits: Limits
  readonly parent: Node | undefined
  /** What was charged here, and not below. */
  readonly charged: Amount[]
  /** What is held here, and not below. */
  readonly holds: Set<Hold>
  readonly counted: Record<CountName, number>
  /** From the moment one of its limits, or of one above it, was broken. */
  dead: boolean
}

const UNLIMITED: Limits = {
  usd: Number.POSITIVE_INFINITY,
  tokens: Number.POSITIVE_INFINITY,
  wallMs: Number.POSITIVE_INFINITY,
  toolCalls: Number.POSITIVE_INFINITY,
  llmCalls: Number.POSITIVE_INFINITY,
  depth: Number.POSITIVE_INFINITY,
  denials: Number.POSITIVE_INFINITY,
}

class Tree {
  readonly nodes: Node[] = []
  readonly open: { readonly node: Node; readonly hold: Hold }[] = []

  add(parentIndex: number, limits: Partial<Limits>): void {
    const parent = this.nodes[parentIndex % Math.max(1, this.nodes.length)]
    const all: Limits = { ...UNLIMITED, ...limits }
    this.nodes.push({
      meter: new Meter(all, parent?.meter),
      limits: all,
      parent,
      charged: [],
      holds: new Set(),
      counted: { toolCalls: 0, llmCalls: 0, denials: 0 },
      dead: false,
    })
  }

  at(index: number): Node {
    return this.nodes[index % this.nodes.length] as Node
  }

  path(node: Node): Node[] {
    const path: Node[] = []
    for (let each: Node | undefined = node; each !== undefined; each = each.parent) path.push(each)
    return path
  }

  below(node: Node): Node[] {
    return this.nodes.filter((each) => this.path(each).includes(node))
  }

  spent(node: Node): Amount {
    return sum(this.below(node).flatMap(({ charged }) => charged))
  }

  held(node: Node): Amount {
    return sum(
      this.below(node).flatMap(({ holds }) => [...holds].map(({ usd, tokens }): Amount => [usd, tokens])),
    )
  }

  counted(node: Node, name: CountName): number {
    return this.below(node).reduce((total, each) => total + each.counted[name], 0)
  }

  kill(breach: Breach): void {
    const broken = this.nodes.find(({ meter }) => meter === breach.meter) as Node
    for (const node of this.below(broken)) node.dead = true
  }

  /** What every meter must show, whatever happened. */
  check(): void {
    for (const node of this.nodes) {
      const { meter, limits } = node
      const [usd, tokens] = this.spent(node)
      const [heldUsd, heldTokens] = this.held(node)
      expect([meter.usd, meter.tokens]).toEqual([usd, tokens])
      expect([meter.heldUsd, meter.heldTokens]).toEqual([heldUsd, heldTokens])
      for (const name of COUNTS) {
        expect(meter[name]).toBe(this.counted(node, name))
        expect(meter[name]).toBeLessThanOrEqual(limits[name])
      }
      if (node.dead) continue
      expect(usd + heldUsd).toBeLessThanOrEqual(limits.usd)
      expect(tokens + heldTokens).toBeLessThanOrEqual(limits.tokens)
    }
  }
}

const COUNTS = ['toolCalls', 'llmCalls', 'denials'] as const

function sum(amounts: readonly Amount[]): Amount {
  return amounts.reduce<Amount>(([usd, tokens], [u, t]) => [usd + u, tokens + t], [0, 0])
}

type Step =
  | { readonly kind: 'hold' | 'charge'; readonly on: number; readonly amount: Amount }
  | { readonly kind: 'settle' | 'settle within' | 'release'; readonly which: number; readonly amount: Amount }
  | { readonly kind: 'count'; readonly on: number; readonly name: CountName }

function hold(tree: Tree, node: Node, [usd, tokens]: Amount): void {
  const path = tree.path(node)
  const left = (each: Node): Amount => {
    const [spentUsd, spentTokens] = tree.spent(each)
    return [each.limits.usd - spentUsd, each.limits.tokens - spentTokens]
  }
  const breaks = path.some((each) => usd > left(each)[0] || tokens > left(each)[1])
  const waits = path.some((each) => {
    const [heldUsd, heldTokens] = tree.held(each)
    return usd > left(each)[0] - heldUsd || tokens > left(each)[1] - heldTokens
  })
  const taken = node.meter.hold(usd, tokens)
  if ('meter' in taken) {
    expect(breaks).toBe(true)
    tree.kill(taken)
  } else if ('asked' in taken) {
    expect([breaks, waits]).toEqual([false, true])
    expect(taken.asked).toBe(taken.limit === 'usd' ? usd : tokens)
    expect(taken.left).toBeLessThan(taken.asked)
    expect(taken.held).toBeGreaterThan(0)
  } else {
    expect([breaks, waits]).toEqual([false, false])
    expect(taken).toEqual({ usd, tokens })
    node.holds.add(taken)
    tree.open.push({ node, hold: taken })
  }
}

function charge(tree: Tree, node: Node, held: Hold, amount: Amount): void {
  node.holds.delete(held)
  node.charged.push(amount)
  const breach = node.meter.settle(held, ...amount)
  if (breach === undefined) return
  expect(breach.used).toBe(breach.limit === 'usd' ? breach.meter.usd : breach.meter.tokens)
  tree.kill(breach)
}

function run(tree: Tree, step: Step): void {
  switch (step.kind) {
    case 'hold':
      if (!tree.at(step.on).dead) hold(tree, tree.at(step.on), step.amount)
      return
    case 'charge':
      // What has happened is charged in a dead session too.
      charge(tree, tree.at(step.on), NOTHING, step.amount)
      return
    case 'count': {
      const node = tree.at(step.on)
      const full = tree.path(node).some((each) => tree.counted(each, step.name) >= each.limits[step.name])
      const breach = node.meter.count(step.name)
      expect(breach !== undefined).toBe(full)
      if (breach === undefined) node.counted[step.name] += 1
      else expect(breach).toMatchObject({ limit: step.name, used: breach.max })
      return
    }
    default: {
      if (tree.open.length === 0) return
      const [{ node, hold: held }] = tree.open.splice(step.which % tree.open.length, 1) as [
        Tree['open'][number],
      ]
      if (step.kind === 'release') charge(tree, node, held, [0, 0])
      else if (step.kind === 'settle within')
        charge(tree, node, held, [held.usd, Math.floor(held.tokens / 2)])
      else charge(tree, node, held, step.amount)
    }
  }
}

const small = fc.nat({ max: 12 })
const limit = fc.option(fc.nat({ max: 60 }), { nil: Number.POSITIVE_INFINITY, freq: 4 })
const few = fc.option(fc.nat({ max: 5 }), { nil: Number.POSITIVE_INFINITY, freq: 2 })
const limits = fc.record({ usd: limit, tokens: limit, toolCalls: few, llmCalls: few, denials: few })
const amount = fc.tuple(small, small)
const tree = fc.array(fc.tuple(fc.nat(), limits), { minLength: 1, maxLength: 6 })
const step: fc.Arbitrary<Step> = fc.oneof(
  { weight: 5, arbitrary: fc.record({ kind: fc.constant('hold'), on: fc.nat(), amount }) },
  { weight: 2, arbitrary: fc.record({ kind: fc.constant('charge'), on: fc.nat(), amount }) },
  {
    weight: 5,
    arbitrary: fc.record({
      kind: fc.constantFrom('settle', 'settle within', 'settle within', 'release'),
      which: fc.nat(),
      amount,
    }),
  },
  {
    weight: 2,
    arbitrary: fc.record({ kind: fc.constant('count'), on: fc.nat(), name: fc.constantFrom(...COUNTS) }),
  },
) as fc.Arbitrary<Step>

function grow(shape: readonly (readonly [number, Partial<Limits>])[]): Tree {
  const grown = new Tree()
  for (const [parent, each] of shape) grown.add(parent, each)
  return grown
}

test('whatever is held, settled, released and charged in a tree: spent + held stays within every limit until one is broken, and parents add up', () => {
  fc.assert(
    fc.property(tree, fc.array(step, { maxLength: 40 }), (shape, steps) => {
      const grown = grow(shape)
      for (const each of steps) {
        run(grown, each)
        grown.check()
      }
    }),
    { numRuns: 1500 },
  )
})

test('exactly what is left can be held, and one more cannot', () => {
  fc.assert(
    fc.property(tree, fc.array(step, { maxLength: 20 }), fc.nat(), (shape, steps, on) => {
      const grown = grow(shape)
      for (const each of steps) run(grown, each)
      const node = grown.at(on)
      if (node.dead) return
      const { meter } = node
      const [usd, tokens] = [meter.left('usd'), meter.left('tokens')]
      if (usd !== Number.POSITIVE_INFINITY) {
        expect(meter.hold(usd + 1, 0)).not.toHaveProperty('usd')
        expect(meter.hold(usd, 0)).toEqual({ usd, tokens: 0 })
        expect(meter.left('usd')).toBe(0)
      }
      if (tokens !== Number.POSITIVE_INFINITY) {
        expect(meter.hold(0, tokens + 1)).not.toHaveProperty('tokens')
        expect(meter.hold(0, tokens)).toEqual({ usd: 0, tokens })
        expect(meter.left('tokens')).toBe(0)
      }
      for (const name of COUNTS) {
        const left = meter.countLeft(name)
        if (left === Number.POSITIVE_INFINITY) continue
        for (let call = 0; call < left; call++) expect(meter.count(name)).toBeUndefined()
        expect(meter.count(name)).toMatchObject({ limit: name })
      }
    }),
    { numRuns: 500 },
  )
})

test('what could not be held has changed nothing', () => {
  let refusals = 0
  fc.assert(
    fc.property(
      tree,
      fc.array(step, { maxLength: 20 }),
      fc.nat(),
      amount,
      (shape, steps, on, [usd, tokens]) => {
        const grown = grow(shape)
        for (const each of steps) run(grown, each)
        const before = grown.nodes.map(({ meter }) => ({ ...meter }))
        const taken = grown.at(on).meter.hold(usd, tokens)
        if (!('meter' in taken || 'asked' in taken)) return
        refusals += 1
        expect(grown.nodes.map(({ meter }) => ({ ...meter }))).toEqual(before)
      },
    ),
    { numRuns: 500 },
  )
  expect(refusals).toBeGreaterThan(0)
})

describe('nesting', () => {
  test('is allowed exactly as deep as every meter above says, and a refusal changes nothing', () => {
    fc.assert(
      fc.property(fc.array(few, { minLength: 1, maxLength: 8 }), (depths) => {
        const chain: Meter[] = []
        for (const depth of depths) {
          const parent = chain.at(-1)
          const before = chain.map((meter) => meter.depth)
          const allowed = chain.every((meter, index) => chain.length - index <= meter.limits.depth)
          const left = parent?.countLeft('depth')
          const breach = parent?.nest()
          expect(breach === undefined).toBe(allowed)
          if (left !== undefined) expect(left > 0).toBe(allowed)
          if (breach !== undefined) {
            expect(breach.limit).toBe('depth')
            expect(chain.map((meter) => meter.depth)).toEqual(before)
            return
          }
          chain.push(new Meter({ ...UNLIMITED, depth }, parent))
          expect(chain.map((meter) => meter.depth)).toEqual(
            chain.map((_meter, index) => chain.length - 1 - index),
          )
        }
      }),
    )
  })
})
