/**
 * The program of the keeper: a thread that starts the workers of one pool, hands them their calls, and ends
 * them. JavaScript text for the same reasons as the program of a worker.
 *
 * It is a thread of its own so that workers are watched and ended on time while the host's event loop is
 * blocked: by the host's own code, or by a synchronous session that waits for its answer.
 */
export const KEEPER_SOURCE = `'use strict'
const builtin = process.getBuiltinModule
const { MessageChannel, Worker, workerData } = builtin('worker_threads')
const { spawn } = builtin('child_process')
const { randomUUID } = builtin('crypto')
const { port, signal, plan } = workerData
const MAX_TIMER_MS = 2 ** 31 - 1
/** The host stops a call at its deadline; what comes from here comes after that. */
const LATE_MS = 10

const units = new Map()

function tell(report) {
  port.postMessage(report)
  Atomics.add(signal, 0, 1)
  Atomics.notify(signal, 0)
}

function startThread(unit) {
  const worker = new Worker(plan.unitSource, {
    eval: true,
    env: { ...plan.env },
    argv: [],
    execArgv: [],
    stdin: false,
    stdout: !plan.inherit,
    stderr: !plan.inherit,
  })
  // What nobody reads would pile up.
  if (!plan.inherit) for (const output of [worker.stdout, worker.stderr]) output.resume()
  const { port1, port2 } = new MessageChannel()
  port1.on('message', (message) => heard(unit, message))
  port1.on('messageerror', () => undefined)
  worker.postMessage({ port: port2, nonce: unit.nonce, url: plan.url, name: plan.name }, [port2])
  worker.on('messageerror', () => undefined)
  worker.on('error', (error) => {
    const isMemory = error !== null && typeof error === 'object' && error.code === 'ERR_WORKER_OUT_OF_MEMORY'
    unit.reason = isMemory ? 'memory' : 'exit'
    unit.detail = isMemory ? 'ran out of memory' : 'failed outside of its call: ' + brief(error)
  })
  worker.on('exit', (code) => {
    port1.close()
    gone(unit, 'exit', 'ended its worker with exit code ' + code)
  })
  unit.post = (message) => port1.postMessage(message)
  unit.kill = () => void worker.terminate()
}

function startProcess(unit) {
  const heap = plan.memoryMb === undefined ? [] : ['--max-old-space-size=' + plan.memoryMb]
  const child = spawn(process.execPath, [...heap, '-e', plan.unitSource], {
    env: { ...plan.env },
    // A group of its own, so that what the tool starts ends with it.
    detached: true,
    windowsHide: true,
    serialization: 'json',
    stdio: ['ignore', plan.inherit ? 'inherit' : 'ignore', 'pipe', 'ipc', 'pipe'],
  })
  let tail = ''
  child.stderr.setEncoding('utf8').on('data', (text) => {
    tail = (tail + text).slice(-8192)
    if (plan.inherit) process.stderr.write(text)
  })
  child.stderr.on('error', () => undefined)
  child.stdio[4].on('error', () => undefined)
  child.stdio[4].on('data', () => {
    unit.reason = 'memory'
    unit.detail = 'used more memory than it may'
    unit.kill()
  })
  child.on('message', (message) => heard(unit, message))
  child.on('error', (error) => {
    if (child.pid === undefined) gone(unit, 'exit', 'could not be started: ' + brief(error))
  })
  // Without its channel nothing can be asked of it any more. One that is about to exit may say how.
  child.on('disconnect', () => setTimeout(unit.kill, 50))
  child.on('exit', (code, killedBy) => {
    killGroup()
    const end = () => {
      const isMemory = tail.includes('heap out of memory')
      if (isMemory) gone(unit, 'memory', 'ran out of memory')
      else gone(unit, 'exit', 'ended its process ' + (killedBy === null ? 'with exit code ' + code : 'by ' + killedBy))
    }
    if (unit.reason !== undefined || child.stderr.readableEnded) return end()
    child.stderr.once('close', end)
    setTimeout(end, 100)
  })
  const killGroup = () => {
    if (child.pid === undefined) return
    try { process.kill(-child.pid, 'SIGKILL') } catch { child.kill('SIGKILL') }
  }
  unit.post = (message) => void child.send(message, () => undefined)
  unit.kill = killGroup
  const { nonce } = unit
  unit.post({ nonce, url: plan.url, name: plan.name, watchdog: plan.watchdogSource, memoryMb: plan.memoryMb })
}

/** What a worker says. It may be anything: the tool can reach all that its realm holds. */
function heard(unit, message) {
  if (typeof message !== 'object' || message === null) return
  const { nonce } = message
  if (unit.isLoading) {
    if (nonce !== unit.nonce) return
    unit.isLoading = false
    if (message.type === 'ready') return tell({ type: 'ready', unit: unit.id })
    tell({ type: 'unloadable', unit: unit.id, error: remote(message.error) })
    return stop(unit)
  }
  if (unit.call === undefined || nonce !== unit.call.nonce) return
  const { id } = unit.call
  clearTimeout(unit.timer)
  unit.call = undefined
  tell({ type: 'answer', unit: unit.id, call: id, answer: answer(message) })
  if (unit.isStopping) unit.kill()
}

function answer(message) {
  if (message.ok === false) return { ok: false, error: remote(message.error) }
  if (message.ok === 'unusable') return { ok: 'unusable', fault: string(message.fault, 256) || 'unreadable' }
  const { text } = message
  if (message.ok !== true || (text !== undefined && typeof text !== 'string')) return { ok: 'unusable', fault: 'no answer' }
  if (text !== undefined && Buffer.byteLength(text) > plan.maxOutputBytes) {
    return { ok: 'unusable', fault: 'larger than ' + plan.maxOutputBytes + ' bytes' }
  }
  return { ok: true, text }
}

function string(value, length) {
  return typeof value === 'string' ? value.slice(0, length) : undefined
}

function remote(error) {
  const of = typeof error === 'object' && error !== null ? error : {}
  return {
    name: string(of.name, 64) || 'Error',
    message: string(of.message, 8192) || '',
    code: string(of.code, 64),
    stack: string(of.stack, 8192),
  }
}

function brief(error) {
  const { name, message } = remote(error)
  return (name + ': ' + message).slice(0, 200)
}

function call(unit, { call: id, input, facts, leftMs }) {
  const nonce = randomUUID()
  unit.call = { id, nonce }
  if (leftMs !== Infinity) unit.timer = setTimeout(() => stop(unit), Math.min(leftMs + LATE_MS, MAX_TIMER_MS))
  unit.post({ type: 'call', nonce, input, facts })
}

function stop(unit, graceMs = 0) {
  unit.isStopping = true
  clearTimeout(unit.timer)
  if (graceMs === 0 || unit.call === undefined) return unit.kill()
  unit.post({ type: 'abort', nonce: unit.call.nonce })
  unit.timer = setTimeout(() => unit.kill(), Math.min(graceMs, MAX_TIMER_MS))
}

function gone(unit, reason, detail) {
  if (!units.delete(unit.id)) return
  clearTimeout(unit.timer)
  // What it ended of stands before that it was to be ended.
  const why = unit.reason !== undefined ? unit.reason : unit.isStopping ? 'stopped' : reason
  tell({ type: 'gone', unit: unit.id, reason: why, detail: unit.detail || detail })
}

port.on('message', (order) => {
  if (order.type === 'ping') return tell({ type: 'pong' })
  if (order.type === 'start') {
    const unit = { id: order.unit, nonce: randomUUID(), isLoading: true, isStopping: false, kill: () => undefined }
    units.set(unit.id, unit)
    try {
      if (plan.process) startProcess(unit)
      else startThread(unit)
    } catch (error) {
      gone(unit, 'exit', 'could not be started: ' + brief(error))
    }
    return
  }
  const unit = units.get(order.unit)
  if (unit === undefined) return
  if (order.type === 'call') call(unit, order)
  else stop(unit, order.graceMs)
})
`
