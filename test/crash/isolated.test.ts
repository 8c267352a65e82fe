import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, beforeAll, expect, test } from 'vitest'
import { bundle, runNode, start } from '../support/child.js'
import { isAlive, TOOLS, until, written } from '../support/isolated-bench.js'

let folder: string
let host: string

beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), 'writ-isolated-host-'))
  host = await bundle('test/crash/isolated-host-child.ts', folder)
})

afterAll(() => rm(folder, { recursive: true, force: true }))

test('a process with idle workers ends, and not before its calls have', async () => {
  expect(await runNode(host, ['ends', TOOLS.href])).toEqual({ status: 0, stdout: '3 7\n3 7\n', stderr: '' })
  expect(await runNode(host, ['idle', TOOLS.href])).toEqual({ status: 0, stdout: '', stderr: '' })
})

test('what a tool prints goes nowhere unless it is asked for', async () => {
  const { stdout, stderr } = await runNode(host, ['prints', TOOLS.href])
  for (const text of [stdout, stderr]) {
    expect(text.trim().split('\n').sort()).toEqual(['process inherit', 'thread inherit'])
  }
})

test('after kill -9 of the host nothing of its tools is left, although they never give back control', async () => {
  const started = join(folder, 'started')
  const child = start(host, ['parent', TOOLS.href, started])
  const pids = (await written(started)).split(' ').map(Number)
  expect(pids.map(isAlive)).toEqual([true, true])
  child.kill('SIGKILL')
  await until(() => !pids.some(isAlive))
})
