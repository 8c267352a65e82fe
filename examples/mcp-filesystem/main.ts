// The filesystem server of npm, made read-only under one folder by the five lines of writ.config.json.
// `npx tsx examples/mcp-filesystem/main.ts`
import { copyFileSync, mkdirSync, readFileSync, writeFileSync } from 'node:fs'
import { createRequire } from 'node:module'
import { dirname, join } from 'node:path'
import '../support/temporary-folder.js'
import { Client } from '@modelcontextprotocol/client'
import { StdioClientTransport } from '@modelcontextprotocol/client/stdio'

const repository = join(import.meta.dirname, '../..')
const here = process.cwd()
mkdirSync('notes')
writeFileSync('notes/monday.txt', 'Call the printer.')
writeFileSync('salaries.txt', 'Nobody is to read this.')
copyFileSync(join(import.meta.dirname, 'writ.config.json'), 'writ.config.json')

// What a desktop client has in its settings: there, "command" is "npx" and the arguments begin with "writ".
const { resolve } = createRequire(import.meta.url)
const server = join(repository, 'node_modules/@modelcontextprotocol/server-filesystem/dist/index.js')
const transport = new StdioClientTransport({
  command: process.execPath,
  args: [
    ...[
      '--import',
      `file://${join(dirname(resolve('tsx')), 'loader.mjs')}`,
      join(repository, 'src/cli/main.ts'),
    ],
    ...['mcp', '--config', join(here, 'writ.config.json'), '--', process.execPath, server, here],
  ],
  stderr: 'ignore',
})
const client = new Client({ name: 'example', version: '1.0.0' })
await client.connect(transport)

const { tools } = await client.listTools()
console.log(`tools: ${tools.map(({ name }) => name).join(', ')}`)
for (const [name, input] of [
  ['read_text_file', { path: join(here, 'notes/monday.txt') }],
  ['read_text_file', { path: join(here, 'salaries.txt') }],
  ['read_text_file', { path: `${join(here, 'notes')}/../salaries.txt` }],
  ['write_file', { path: join(here, 'notes/monday.txt'), content: 'Never mind the printer.' }],
] as const) {
  const { content, isError } = await client.callTool({ name, arguments: input })
  const [first] = content as { text: string }[]
  console.log(`${name}: ${isError === true ? 'refused: ' : ''}${first?.text}`)
}
await client.close()

console.log(readFileSync('notes/monday.txt', 'utf8'))
for (const line of readFileSync('audit.jsonl', 'utf8').trimEnd().split('\n')) {
  const { event, payload } = JSON.parse(line)
  if (event === 'tool_call') console.log(`ran ${payload.tool}`)
  if (event === 'tool_denied') console.log(`denied ${payload.tool}: ${payload.reason}`)
}
