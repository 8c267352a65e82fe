// Bundles each built entry with its dependencies, as a user's bundler would, and checks what it drags in
// and how large it is. Needs `npm run build` first.
import { gzipSync } from 'node:zlib'
import { build } from 'esbuild'

/**
 * For each file of dist: the most that it may weigh (minified and gzipped, in bytes), what its bundle must
 * not hold as text or as a package, and whether it may import Node's modules.
 */
const ENTRIES = {
  index: { maxBytes: 66_000, text: [], packages: ['zod', 'p-timeout', 'jose'], node: false },
  verify: {
    maxBytes: 26_000,
    text: [/zod/, /p-timeout/, /["'`]node:/],
    packages: ['ulid', 'jose'],
    node: false,
  },
  testing: { maxBytes: 12_000, text: [], packages: ['zod', 'vitest'], node: false },
  approvals: { maxBytes: 12_000, text: [], packages: ['zod', 'ulid'], node: false },
  isolated: {
    maxBytes: 12_000,
    text: [/["'`]node:/],
    packages: ['zod', 'ulid', '@noble/hashes'],
    node: false,
  },
  principal: { maxBytes: 24_000, text: [/["'`]node:/], packages: ['zod', 'ulid'], node: false },
  prices: { maxBytes: 200000, text: [/["'`]node:/], packages: ['zod', 'jose'], node: false },
  'claude-agent': {
    maxBytes: 44000,
    text: [/["'`]node:/],
    packages: ['zod', 'jose', '@anthropic-ai/claude-agent-sdk'],
    node: false,
  },
  bedrock: {
    maxBytes: 46000,
    text: [/["'`]node:/],
    packages: ['zod', 'jose', '@aws-sdk/client-bedrock-runtime'],
    node: false,
  },
  'openai-agents': {
    maxBytes: 48_000,
    text: [/["'`]node:/],
    packages: ['zod', 'openai', 'jose'],
    node: false,
    peers: ['@openai/agents'],
  },
  langchain: {
    maxBytes: 48_000,
    text: [/["'`]node:/],
    packages: ['zod', 'jose'],
    node: false,
    peers: ['langchain', '@langchain/core'],
  },
  google: { maxBytes: 44_000, text: [/["'`]node:/], packages: ['zod', '@google', 'jose'], node: false },
  'ai-sdk': { maxBytes: 48_000, text: [/["'`]node:/], packages: ['zod', 'jose', 'ai'], node: false },
  mcp: {
    maxBytes: 64_000,
    text: [/["'`]node:/],
    packages: ['zod', 'jose', '@modelcontextprotocol/sdk', '@modelcontextprotocol/client'],
    node: false,
    peers: ['ajv', 're2js'],
  },
  openai: { maxBytes: 44_000, text: [/["'`]node:/], packages: ['zod', 'openai', 'jose'], node: false },
  anthropic: {
    maxBytes: 44_000,
    text: [/["'`]node:/],
    packages: ['zod', '@anthropic-ai/sdk', 'jose'],
    node: false,
  },
  cli: { maxBytes: 46_000, text: [], packages: ['zod', 'ulid'], node: true },
}

/** Leaves out what an entry loads when it is asked for, and not before. */
const loadedLater = {
  name: 'loaded-later',
  setup(building) {
    building.onResolve({ filter: /^\./ }, ({ kind, path }) =>
      kind === 'dynamic-import' ? { path, external: true } : undefined,
    )
  },
}

async function bundle(entry, peers, plugins) {
  const { outputFiles, metafile } = await build({
    entryPoints: [`dist/${entry}.js`],
    bundle: true,
    minify: true,
    write: false,
    metafile: true,
    format: 'esm',
    target: 'es2022',
    platform: 'neutral',
    mainFields: ['module', 'main'],
    conditions: ['browser'],
    external: ['node:*', ...peers],
    plugins,
    logLevel: 'error',
  })
  const text = outputFiles[0].text
  const [output] = Object.values(metafile.outputs)
  return {
    text,
    bytes: gzipSync(text, { level: 9 }).length,
    packages: new Set(
      Object.keys(output.inputs).map((path) => /node_modules\/((?:@[^/]+\/)?[^/]+)/.exec(path)?.[1]),
    ),
    external: output.imports.filter((one) => one.external).map((one) => one.path),
  }
}

const faults = []
for (const [entry, limits] of Object.entries(ENTRIES)) {
  const peers = limits.peers ?? []
  const found = await bundle(entry, peers, limits.node ? [loadedLater] : [])
  console.log(`${entry.padEnd(8)} ${String(found.bytes).padStart(6)} of ${limits.maxBytes} bytes`)
  if (found.bytes > limits.maxBytes)
    faults.push(`${entry} weighs ${found.bytes} bytes, over ${limits.maxBytes}`)
  for (const text of limits.text) if (text.test(found.text)) faults.push(`${entry} holds ${text}`)
  for (const name of limits.packages) if (found.packages.has(name)) faults.push(`${entry} bundles ${name}`)
  if (!limits.node) {
    const foreign = found.external.filter(
      (path) => !peers.some((peer) => path === peer || path.startsWith(`${peer}/`)),
    )
    faults.push(...foreign.map((path) => `${entry} imports ${path}`))
  }
}
for (const fault of faults) console.error(`check-entries: ${fault}`)
process.exitCode = faults.length === 0 ? 0 : 1
