// Bundles each built entry with its dependencies, as a user's bundler would, and checks what it drags in
// and how large it is. Needs `npm run build` first.
import { gzipSync } from 'node:zlib'
import { build } from 'esbuild'

/**
 * For each file of dist: the most that it may weigh (minified and gzipped, in bytes), strings that must not
 * occur in the bundle, packages that must not be part of it, and whether it may import Node's modules.
 */
const ENTRIES = {
  index: { maxBytes: 24_000, strings: [], packages: ['zod', 'p-timeout'], node: false },
  verify: { maxBytes: 12_000, strings: ['zod', 'p-timeout', 'node:'], packages: ['ulid'], node: false },
  testing: { maxBytes: 24_000, strings: [], packages: ['zod', 'vitest'], node: false },
  cli: { maxBytes: 24_000, strings: [], packages: ['zod'], node: true },
}

async function bundle(entry) {
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
    external: ['node:*'],
    logLevel: 'error',
  })
  const text = outputFiles[0].text
  const [output] = Object.values(metafile.outputs)
  return {
    text,
    bytes: gzipSync(text, { level: 9 }).length,
    packages: Object.keys(output.inputs).flatMap(
      (path) => /node_modules\/((?:@[^/]+\/)?[^/]+)/.exec(path)?.[1] ?? [],
    ),
    external: output.imports.filter((one) => one.external).map((one) => one.path),
  }
}

const faults = []
for (const [entry, { maxBytes, strings, packages, node }] of Object.entries(ENTRIES)) {
  const found = await bundle(entry)
  console.log(`${entry.padEnd(8)} ${String(found.bytes).padStart(6)} of ${maxBytes} bytes`)
  if (found.bytes > maxBytes) faults.push(`${entry} weighs ${found.bytes} bytes, more than ${maxBytes}`)
  for (const string of strings) if (found.text.includes(string)) faults.push(`${entry} holds '${string}'`)
  for (const name of packages) if (found.packages.includes(name)) faults.push(`${entry} bundles ${name}`)
  for (const path of found.external) if (!node) faults.push(`${entry} imports ${path}`)
}
for (const fault of faults) console.error(`check-entries: ${fault}`)
process.exitCode = faults.length === 0 ? 0 : 1
