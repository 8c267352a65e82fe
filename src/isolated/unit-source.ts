/**
 * The program of a worker: loads the module and runs its calls, one after the other. JavaScript text,
 * because it has to start in a thread or process of its own from the source, from the build and from any
 * bundle, with no file beside it that a bundler could lose.
 *
 * The tool runs in the same realm afterwards and can change everything in it. What is needed later is taken
 * before the module is loaded, and nothing that comes from here is trusted on the other side.
 */
export const UNIT_SOURCE = `'use strict'
const builtin = process.getBuiltinModule
const { parentPort, isMainThread, Worker } = builtin('worker_threads')
const { parse, stringify } = JSON
const { freeze, getPrototypeOf, keys, values } = Object
const { isArray } = Array
const { isFinite } = Number
const PLAIN = Object.prototype
const text = String
const MAX_DEPTH = 64

let post
let tool
let current

function deepFreeze(value) {
  if (typeof value === 'object' && value !== null) for (const member of values(freeze(value))) deepFreeze(member)
  return value
}

function check(value, path, depth) {
  if (value === null || typeof value === 'string' || typeof value === 'boolean') return
  if (typeof value === 'number' && isFinite(value)) return
  if (typeof value !== 'object') throw new TypeError(path + ' is ' + (typeof value === 'number' ? value : 'a ' + typeof value))
  if (depth > MAX_DEPTH) throw new TypeError('result is nested deeper than ' + MAX_DEPTH + ' levels, or a cycle')
  const prototype = getPrototypeOf(value)
  if (!isArray(value) && prototype !== null && prototype !== PLAIN) throw new TypeError(path + ' is an instance of a class')
  if (isArray(value)) for (let index = 0; index < value.length; index++) check(value[index], path + '[' + index + ']', depth + 1)
  else for (const name of keys(value)) if (value[name] !== undefined) check(value[name], path + '.' + name, depth + 1)
}

function remote(error) {
  const of = (name) => { try { return error === undefined || error === null ? undefined : error[name] } catch { return undefined } }
  const string = (value) => (typeof value === 'string' ? value.slice(0, 8192) : undefined)
  let message = string(of('message'))
  if (message === undefined) try { message = text(error).slice(0, 8192) } catch { message = 'it threw what cannot be read' }
  return { name: string(of('name')), message, code: string(of('code')), stack: string(of('stack')) }
}

function encode(value) {
  if (value === undefined) return undefined
  check(value, 'result', 0)
  return stringify(value)
}

async function run({ nonce, input, facts }) {
  const controller = new AbortController()
  const call = { nonce, abort: () => controller.abort() }
  current = call
  let value
  try {
    const context = freeze({ callId: facts.callId, session: freeze(facts.session), signal: controller.signal })
    value = await tool(input === undefined ? undefined : deepFreeze(parse(input)), context)
  } catch (error) {
    post({ nonce, ok: false, error: remote(error) })
    return
  } finally {
    if (current === call) current = undefined
  }
  let answer
  try {
    answer = { nonce, ok: true, text: encode(value) }
  } catch (error) {
    answer = { nonce, ok: 'unusable', fault: remote(error).message }
  }
  post(answer)
}

function heard(message) {
  if (message.type === 'call') run(message)
  else if (message.type === 'abort' && current !== undefined && current.nonce === message.nonce) current.abort()
}

async function load({ nonce, url, name }) {
  try {
    tool = (await import(url))[name]
    if (typeof tool !== 'function') throw new TypeError('the module exports no function named ' + name)
  } catch (error) {
    post({ nonce, type: 'unloadable', error: remote(error) })
    return
  }
  post({ nonce, type: 'ready' })
}

function die() {
  try { process.kill(-process.pid, 'SIGKILL') } catch { process.kill(process.pid, 'SIGKILL') }
}

if (isMainThread) {
  const send = process.send.bind(process)
  process.send = undefined
  post = (message) => send(message, () => undefined)
  process.once('disconnect', die)
  process.once('message', (plan) => {
    process.on('message', heard)
    const watchdog = new Worker(plan.watchdog, { eval: true, env: {}, argv: [], execArgv: [], workerData: plan.memoryMb })
    watchdog.unref()
    watchdog.once('error', die)
    // Nothing of the tool runs before there is somebody who ends it.
    watchdog.once('message', () => load(plan))
  })
} else {
  parentPort.once('message', (plan) => {
    const { port } = plan
    post = port.postMessage.bind(port)
    port.on('message', heard)
    load(plan)
  })
}
`

/**
 * A thread beside the tool in its process, because the tool can keep the main thread busy for ever. It ends
 * the process and what the process has started once the host is gone, however the host went: the other end
 * of descriptor 4 is the host's. And it sees what memory the process has, in the heap and outside.
 */
export const WATCHDOG_SOURCE = `'use strict'
const builtin = process.getBuiltinModule
const { Socket } = builtin('net')
const { parentPort, workerData: memoryMb } = builtin('worker_threads')
const SLACK_BYTES = 32 * 1024 * 1024

function die() {
  try { process.kill(-process.pid, 'SIGKILL') } catch { process.kill(process.pid, 'SIGKILL') }
}

const host = new Socket({ fd: 4 })
host.on('error', die)
host.on('close', die)
host.resume()
if (memoryMb !== undefined) {
  const most = process.memoryUsage.rss() + memoryMb * 1024 * 1024 + SLACK_BYTES
  setInterval(() => {
    if (process.memoryUsage.rss() > most) host.write('memory', die)
  }, 20)
}
parentPort.postMessage('ready')
`
