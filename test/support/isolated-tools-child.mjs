// Tools that run in workers and processes of their own.
import { spawn } from 'node:child_process'
import { readFileSync, writeFileSync, writeSync } from 'node:fs'
import * as threads from 'node:worker_threads'

let calls = 0

export const add = ({ a, b }) => a + b

export const echo = async (input) => input

export const isNegativeZero = ({ zero }) => Object.is(zero, -0)

export const facts = (_input, { callId, session, signal }) => ({ callId, session, aborted: signal.aborted })

export const fails = () => {
  throw Object.assign(new RangeError('no such order'), { code: 'ENOORDER' })
}

export const throwsNothing = () => {
  // biome-ignore lint/style/useThrowOnlyError: people do
  throw undefined
}

/** Writes where it is running, then never gives control back. */
export const loop = ({ started, rehearse }) => {
  if (rehearse) return undefined
  if (started !== undefined) writeFileSync(started, String(process.pid))
  for (;;);
}

export const exit = () => process.exit(3)

/** Throws outside of its call, which never ends. */
export const strays = () => {
  setTimeout(() => {
    throw new TypeError('outside')
  })
  return new Promise(() => undefined)
}

export const abort = () => process.abort()

/** Ends the process as a fault in native code does. */
export const fault = () => process.kill(process.pid, 'SIGSEGV')

export const hoardHeap = () => {
  const kept = []
  for (;;) kept.push(new Array(1_000).fill({}))
}

export const hoardBuffers = () => {
  const kept = []
  for (;;) kept.push(Buffer.alloc(1_000_000, 1))
}

export const environment = () => ({
  variables: { ...process.env },
  inherited: { ...threads.workerData?.env },
  argv: process.argv.slice(1),
  options: process.execArgv.filter((argument) => argument.startsWith('--')),
})

export const plants = ({ name }) => {
  process.env[name] = 'changed by the tool'
}

export const reads = () => readFileSync(0, 'utf8')

export const prints = ({ text }) => {
  console.log(text)
  console.error(text)
}

export const output = ({ kind }) => {
  const cycle = {}
  cycle.self = cycle
  const outputs = {
    nothing: undefined,
    function: () => 1,
    symbol: Symbol('s'),
    bigint: 1n,
    nan: Number.NaN,
    infinity: { a: [Number.POSITIVE_INFINITY] },
    date: new Date(0),
    map: new Map([[1, 2]]),
    buffer: Buffer.from('x'),
    cycle,
    large: 'x'.repeat(2_000_000),
    deep: JSON.parse('['.repeat(80) + ']'.repeat(80)),
    prototype: JSON.parse('{"a":{"__proto__":{"polluted":true}}}'),
    constructor: JSON.parse('{"constructor":{"prototype":{"polluted":true}}}'),
    many: new Array(200_000).fill(0),
    getter: {
      get value() {
        return 'read once'
      },
    },
    absent: { there: 1, absent: undefined },
  }
  return outputs[kind]
}

export const frozen = (input) => {
  try {
    input.list.push(1)
    return 'changed'
  } catch (error) {
    return error.name
  }
}

/** Says how often this worker was asked, and by which thread. */
export const count = () => {
  calls += 1
  return { calls, thread: threads.threadId, process: process.pid }
}

/** Sends whatever it can reach as an answer, before it gives the real one and after it. */
export const impostor = async ({ real }) => {
  const lie = { ok: true, text: '"a lie"', nonce: undefined, type: 'ready', call: 1, unit: 1 }
  const send = () => {
    for (const forged of [lie, 'garbage', null, 5, { ...lie, nonce: '' }, { type: 'gone' }]) {
      threads.parentPort?.postMessage(forged)
      // The channel of a process, past everything that Node has put before it.
      if (threads.isMainThread) writeSync(3, `${JSON.stringify(forged)}\n`)
    }
  }
  send()
  setTimeout(send)
  setTimeout(send, 5)
  await new Promise((resolve) => setTimeout(resolve, 2))
  return real
}

/** Resolves more than once, and goes on after its answer. */
export const babbles = ({ real }) => ({
  // biome-ignore lint/suspicious/noThenProperty: a thenable that answers twice
  then: (resolve) => {
    resolve(real)
    resolve('again')
    setTimeout(() => resolve('late'))
  },
})

/** Ends in the way it is told. */
export const random = async ({ id, how, waitMs }) => {
  if (waitMs > 0) await new Promise((resolve) => setTimeout(resolve, waitMs))
  if (how === 'exit') process.exit(1)
  if (how === 'stray') return strays()
  if (how === 'throw') throw new RangeError(String(id))
  if (how === 'loop') for (;;);
  return id
}

export const waits = ({ waitMs, id }) => new Promise((resolve) => setTimeout(() => resolve(id), waitMs))

/** Ends by itself when its signal says so. */
export const obeys = ({ rehearse }, { signal }) =>
  rehearse || new Promise((resolve) => signal.addEventListener('abort', () => resolve('tidied up')))

/** Starts a process that would outlive it, and writes both numbers down before it never returns. */
export const parent = ({ started }) => {
  const child = spawn(process.execPath, ['-e', 'setInterval(() => undefined, 1000)'], { stdio: 'ignore' })
  writeFileSync(started, `${process.pid} ${child.pid}`)
  for (;;);
}

export const disconnects = () => {
  process.disconnect()
  return new Promise(() => undefined)
}

export const number = 5

const CRASHES = { add, exit, strays, abort, fault, disconnects, hoardHeap, hoardBuffers }

/** One of the above. */
export const does = (input) => CRASHES[input.what](input)
