import { expect, test } from 'vitest'
import { encodeJson } from '../../../src/core/json-text.js'

test('a graph that shares its parts is cut where it would grow without bound', () => {
  let graph: unknown = 'leaf'
  for (let level = 0; level < 20; level++) graph = [graph, graph]
  const text = encodeJson(graph)
  expect(text).toContain('{"$omitted":"too_large"}')
  expect(text.length).toBeLessThan(5_000_000)
})

test.each([
  ['array', new Array(100_001).fill(1)],
  ['object', Object.fromEntries(Array.from({ length: 100_001 }, (_, index) => [`k${index}`, 1]))],
])('an %s with too many members is left out whole', (_, wide) => {
  expect(encodeJson({ wide })).toBe('{"wide":{"$omitted":"too_large"}}')
})
