import { expect, test } from 'vitest'
import { chain, fileOf } from '../support/audit-logs.js'
import { keyOf, noteOver } from '../support/signed-logs.js'
import { writ } from './test-io.js'

const key = String(keyOf().verifierKey)
const lines = chain([{}, {}, {}])
const log = fileOf(lines)
const logs = {
  'd/a.jsonl': log,
  'd/a.jsonl.checkpoint': noteOver(lines),
  'd/a.jsonl.checkpoint.new': 'half a note',
  'd/a.jsonl.lock': '{}',
  'd/a.jsonl.torn-412': 'x',
  'd/b.jsonl.lock': '{}',
  'd/notes\u001b[31m.txt': 'x',
  'd/old.jsonl/x': 'x',
}
const ignored =
  'Not looked at in this folder: a.jsonl.checkpoint.new (a checkpoint that was not finished), a.jsonl.lock (the lock of its writer), a.jsonl.torn-412 (set aside after a crash), b.jsonl.lock, notes\\u001b[31m.txt, old.jsonl'

test('a folder says what it did not look at, and what that is where it belongs to a log', async () => {
  const text = await writ(['verify', 'd', '--key', key], { logs })
  expect(text).toMatchObject({ status: 0, err: '' })
  expect(text.out.split('\n').at(-2)).toBe(ignored)
  const json = await writ(['verify', 'd', '--key', key, '--json'], { logs })
  expect(json.out.trimEnd().split('\n')).toHaveLength(1)
  expect(json).toMatchObject({ status: 0, err: `${ignored}\n` })
})

test('a folder with nothing else in it says nothing of it', async () => {
  const { out } = await writ(['verify', 'd'], { logs: { 'd/a.jsonl': log } })
  expect(out).not.toContain('Not looked at')
})

test('of very many other files some are named', async () => {
  const many = Object.fromEntries(Array.from({ length: 300 }, (_, index) => [`d/x${index}`, 'x']))
  const { out } = await writ(['verify', 'd'], { logs: { 'd/a.jsonl': log, ...many } })
  expect(out).toContain(', and 290 more\n')
})

test('a log that cannot be read keeps none from being checked, and is named', async () => {
  const { status, out, err } = await writ(['verify', 'd', '--key', key], {
    logs: { ...logs, 'd/0.jsonl.checkpoint': noteOver(lines) },
  })
  expect({ status, err }).toEqual({
    status: 66,
    err: 'writ: cannot read the log: d/0.jsonl: there is no such file\n',
  })
  expect(out).toMatch(/^VALID/)
})

test('a log that is signed says what to give, where no key was given', async () => {
  const { status, out } = await writ(['verify', 'd/a.jsonl'], { logs })
  expect(status).toBe(1)
  expect(out).toContain('With the key that its owner gives out they\ncan be checked: --key.')
  const unsigned = await writ(['verify', 'a.jsonl'], { logs: { 'a.jsonl': log } })
  expect(unsigned.out).not.toContain('--key')
})

test('a command to be typed again is quoted where its paths need it', async () => {
  const { out } = await writ(['prove', 'd/a.jsonl', '--seq', '1', '--out', "a 'good' proof"], { logs })
  expect(out).toContain(
    "writ verify 'a '\\''good'\\'' proof.record' --proof 'a '\\''good'\\'' proof' --key KEY",
  )
  const made = await writ(['keygen', 'my key', '--name', 'example.com/audit'])
  expect(made.out).toContain("--key 'my key.pub'\n")
})
