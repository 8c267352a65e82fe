/**
 * Promise 14, end to end: a program with a secret in every place there is, and everything that leaves it: the
 * log file, what a webhook receives, both outputs of the process, and what the command line makes of the log.
 */
import { mkdtempSync, readdirSync, readFileSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, beforeAll, expect, test } from 'vitest'
import { ScopeKeys } from 'writ'
import { writ } from '../cli/test-io.js'
import { Receiver } from '../integration/receiver.js'
import { canary, formsOf, PLACES, type Place } from '../support/canaries.js'
import { bundle, type Finished, runNode } from '../support/child.js'

let folder: string
let keys: string
let receiver: Receiver
let child: Finished
let log: string

beforeAll(async () => {
  folder = mkdtempSync(join(tmpdir(), 'writ-canary-'))
  keys = join(folder, 'keys')
  const path = join(folder, 'audit.jsonl')
  receiver = await Receiver.start()
  const program = await bundle('test/support/canary-child.ts', folder)
  child = await runNode(program, [path, receiver.url, keys], { env: { WRIT_CANARY: canary('environment') } })
  log = readFileSync(path, 'utf8')
}, 60_000)

afterAll(async () => {
  await receiver.stop()
  rmSync(folder, { recursive: true, force: true })
})

const outputs = async (): Promise<Readonly<Record<string, string>>> => {
  const logs = { l: Buffer.from(log) }
  return {
    log,
    webhook: receiver.text,
    stdout: child.stdout,
    stderr: child.stderr,
    show: (await writ(['show', 'l'], { logs })).out,
    'show --json': (await writ(['show', 'l', '--json'], { logs })).out,
    verify: (await writ(['verify', 'l'], { logs })).out,
  }
}

test('a secret is found in whatever form it comes out', () => {
  const secret = canary('value')
  for (const before of ['', 'x', 'xy']) {
    const text = Buffer.from(`${before}${secret}…`).toString('base64')
    expect(formsOf(secret).some((form) => text.includes(form))).toBe(true)
  }
})

test('the program ran to its end, and its log is what the webhook and its output have', () => {
  expect(child.status).toBe(0)
  expect(receiver.text).toBe(log)
  for (const line of log.trimEnd().split('\n')) expect(child.stdout).toContain(line)
  const events = log
    .trimEnd()
    .split('\n')
    .map((line) => JSON.parse(line).event)
  expect(events.filter((event) => event === 'tool_call')).toHaveLength(17)
  expect(events.filter((event) => event === 'session_end')).toHaveLength(4)
})

test.each(Object.entries(PLACES))('%s: in the log %j', async (place, isLogged) => {
  for (const [name, text] of Object.entries(await outputs())) {
    const found = formsOf(canary(place as Place)).filter((form) => text.includes(form))
    if (!isLogged) expect(found, name).toEqual([])
  }
  if (isLogged) expect(log).toContain(canary(place as Place))
})

test('neither a scope key nor a committed value comes out', async () => {
  const store = ScopeKeys.folder(keys)
  const scope = store.find(canary('user'))
  expect(scope?.key).toHaveLength(32)
  expect(log).toContain(`"commit_scope":"${scope?.id}"`)
  const files = readdirSync(keys).map((name) => readFileSync(join(keys, name), 'latin1'))
  const secrets = files.map((text) => Buffer.from(JSON.parse(text).key, 'hex'))
  expect(secrets.length).toBeGreaterThan(1)
  for (const [name, text] of Object.entries(await outputs())) {
    for (const secret of secrets) {
      expect(
        formsOf(secret).filter((form) => text.includes(form)),
        name,
      ).toEqual([])
    }
  }
})

test('a denial for want of a key says so, and nothing more', () => {
  const denied = log.split('\n').filter((line) => line.includes('"reason":"commit_error"'))
  expect(denied).toHaveLength(1)
  expect(JSON.parse(denied[0] ?? '').payload).toMatchObject({
    tool: 'lost',
    commitments: { $omitted: 'commit_error' },
  })
})
