// An MCP server that does what the calls of its tools tell it to, and no more than the protocol needs.
import { spawn } from 'node:child_process'
import { appendFileSync } from 'node:fs'

const [trace] = process.argv.slice(2)
const send = (message) => process.stdout.write(`${JSON.stringify(message)}\n`)
const text = (value) => ({ content: [{ type: 'text', text: value }] })
const note = (value) => trace && appendFileSync(trace, `${value}\n`)
const held = new Map()

const tool = (name, properties = {}) => ({ name, inputSchema: { type: 'object', properties } })
const TOOLS = ['echo', 'hold', 'raw', 'die', 'env', 'stderr', 'spawn', 'big', 'ask'].map((name) => tool(name))

note(`pid ${process.pid}`)
if (process.env.STUBBORN === '1') {
  process.on('SIGTERM', () => note('sigterm'))
  setInterval(() => undefined, 1000)
}

const CALLS = {
  echo: (args) => text(JSON.stringify(args)),
  hold: (args, { id, params }) => {
    held.set(id, args)
    const token = params._meta?.progressToken
    if (token !== undefined)
      send({
        jsonrpc: '2.0',
        method: 'notifications/progress',
        params: { progressToken: token, progress: 1 },
      })
  },
  raw: ({ line }) => {
    process.stdout.write(`${line}\n`)
    return text('said')
  },
  die: ({ status }) => process.exit(status ?? 1),
  env: ({ name }) => text(String(process.env[name])),
  stderr: ({ line }) => {
    process.stderr.write(`${line}\n`)
    return text('said')
  },
  spawn: () => {
    const child = spawn(process.execPath, ['-e', 'setInterval(() => undefined, 1000)'], { stdio: 'ignore' })
    note(`grandchild ${child.pid}`)
    return text(String(child.pid))
  },
  big: ({ bytes }) => text('x'.repeat(bytes)),
  ask: () => {
    send({ jsonrpc: '2.0', id: 'ask-1', method: 'roots/list' })
    return text('asked')
  },
}

function answer(message) {
  const { id, method, params } = message
  note(`${method ?? 'answer'} ${id ?? ''}${method === 'tools/call' ? ` ${params.name}` : ''}`)
  if (method === 'initialize') {
    return {
      protocolVersion: params.protocolVersion,
      capabilities: { tools: {} },
      serverInfo: { name: 'scripted', version: '1' },
    }
  }
  if (method === 'tools/list') return { tools: TOOLS }
  if (method === 'ping') return {}
  if (method === 'notifications/cancelled') held.delete(params.requestId)
  if (method === 'tools/call') return CALLS[params.name](params.arguments ?? {}, message)
  return undefined
}

let rest = ''
process.stdin.on('data', (chunk) => {
  const lines = (rest + chunk).split('\n')
  rest = lines.pop()
  for (const line of lines) {
    const message = JSON.parse(line)
    const result = answer(message)
    if (result !== undefined && message.id !== undefined) send({ jsonrpc: '2.0', id: message.id, result })
  }
})
process.stdin.on('end', () => note('end of input'))
