import { expect, test } from 'vitest'
import { WebhookQueue } from '../../../src/sinks/webhook-queue.js'

const limits = { maxQueueBytes: 100, maxBatchRecords: 3, maxBatchBytes: 20 }

function queueOf(...lines: string[]): WebhookQueue {
  const queue = new WebhookQueue(limits)
  for (const [index, line] of lines.entries()) expect(queue.push(line, index)).toBe(true)
  return queue
}

test('a batch has at most maxBatchRecords lines, in order, each ended by LF', () => {
  const queue = queueOf('a', 'b', 'c', 'd')
  expect(queue.take()).toEqual({ count: 3, bytes: 6, body: 'a\nb\nc\n' })
  expect(queue.take()).toEqual({ count: 1, bytes: 2, body: 'd\n' })
  expect(queue.take()).toEqual({ count: 0, bytes: 0, body: '' })
})

test('a batch has at most maxBatchBytes, counted in UTF-8 with the LF', () => {
  // Six characters of three bytes and an LF are 19 bytes.
  expect(queueOf('東東東東東東', '').take().count).toBe(2)
  expect(queueOf('東東東東東東', 'x').take().count).toBe(1)
})

test('a line that is larger than a batch goes alone', () => {
  const queue = queueOf('x'.repeat(50), 'y')
  expect(queue.take()).toMatchObject({ count: 1, bytes: 51 })
  expect(queue.take()).toMatchObject({ count: 1, body: 'y\n' })
})

test('a batch counts against maxQueueBytes until it is settled', () => {
  const queue = queueOf('x'.repeat(60))
  expect(queue.push('x'.repeat(39), 0)).toBe(false)
  expect(queue.push('東'.repeat(13), 0)).toBe(false)
  expect(queue.push('x'.repeat(38), 0)).toBe(true)
  expect(queue.push('', 0)).toBe(false)
  const batch = queue.take()
  expect(queue.push('', 0)).toBe(false)
  queue.settle(batch)
  expect(queue.push('x'.repeat(60), 0)).toBe(true)
  expect(queue.push('', 0)).toBe(false)
})

test('holds a batch as soon as there are enough lines or enough bytes', () => {
  expect(queueOf('a', 'b').holdsBatch).toBe(false)
  expect(queueOf('a', 'b', 'c').holdsBatch).toBe(true)
  expect(queueOf('x'.repeat(18)).holdsBatch).toBe(false)
  expect(queueOf('x'.repeat(19)).holdsBatch).toBe(true)
  const queue = queueOf('x'.repeat(19), 'y')
  queue.take()
  expect(queue.holdsBatch).toBe(false)
})

test('knows since when the first line waits', () => {
  const queue = queueOf('a', 'b', 'c', 'd')
  expect(queue.oldestMs).toBe(0)
  queue.take()
  expect(queue.oldestMs).toBe(3)
  queue.take()
  expect(queue.oldestMs).toBeUndefined()
})

test('clear counts and frees what waits, not what is taken', () => {
  const queue = queueOf('x'.repeat(40), 'a', 'b')
  const batch = queue.take()
  expect(queue.clear()).toBe(2)
  expect(queue.clear()).toBe(0)
  expect(queue.oldestMs).toBeUndefined()
  expect(queue.push('x'.repeat(59), 0)).toBe(false)
  expect(queue.push('x'.repeat(58), 0)).toBe(true)
  queue.settle(batch)
})
