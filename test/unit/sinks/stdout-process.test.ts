import { type ChildProcess, spawn } from 'node:child_process'
import { once } from 'node:events'
import { join } from 'node:path'
import { text } from 'node:stream/consumers'
import { expect, test } from 'vitest'
import { records } from './records.js'

function child(...args: string[]): ChildProcess {
  return spawn(process.execPath, ['--import', 'tsx', join(import.meta.dirname, 'stdout-child.ts'), ...args])
}

test('a pipe gets every line', async () => {
  const writer = child()
  const [written, report, [code]] = await Promise.all([
    text(writer.stdout!),
    text(writer.stderr!),
    once(writer, 'exit'),
  ])
  expect({ code, report }).toEqual({ code: 0, report: '{"refused":0,"dropped":0}' })
  expect(written).toBe(
    records(2_000)
      .map(({ line }) => `${line}\n`)
      .join(''),
  )
})

test('a reader that goes away fails the sink and not the process', async () => {
  const writer = child('wait')
  writer.stdout!.destroy()
  writer.stdin!.write('go')
  const [report, [code]] = await Promise.all([text(writer.stderr!), once(writer, 'exit')])
  expect(code).toBe(0)
  const { refused, dropped } = JSON.parse(report) as { refused: number; dropped: number }
  expect(refused).toBeGreaterThan(1_900)
  expect(dropped).toBeGreaterThan(0)
})
