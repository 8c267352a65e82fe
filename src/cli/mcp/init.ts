import { basename, dirname, relative, resolve } from 'node:path'
import type { ServerIdentity } from '../../adapters/mcp/pin-check.js'
import { acceptPins } from '../../adapters/mcp/pins/accept-pins.js'
import { formatPins } from '../../adapters/mcp/pins/parse-pins.js'
import { NO_PINS } from '../../adapters/mcp/pins/pins.js'
import { safeJson } from '../../adapters/mcp/safe-json.js'
import { quote } from '../../core/json-text.js'
import { type CliIo, CommandFailed, EXIT, FileNotMade, UsageError } from '../cli-io.js'
import { safeText, shellWord } from '../safe-text.js'
import { askServer } from './ask-server.js'
import { findingLines } from './pin-text.js'
import { needServer, readServerArguments } from './server-arguments.js'
import { type StarterTool, starterTools } from './starter-contract.js'

const INIT_HELP: string = `Usage: writ mcp init [--config FILE] [--pins FILE] [--name NAME] -- <command> [argument …]
       writ mcp init [--config FILE] [--pins FILE] [--name NAME] --url URL [--header "Name: value" …]

Asks a server for its tools, and writes a contract to begin with, and the pins of the tools in it. Tools of which
the server says itself that they only read may be called, with the arguments that they declare; all others are
listed as false. Neither file is overwritten.

Options:
  --config FILE   the contract; writ.config.json unless it is said
  --pins FILE     the pins; writ.pins.json beside the contract unless it is said
  --name NAME     what the contract calls the server; made of its own name unless it is said
  --url URL       a server behind a URL, instead of a command
  --header TEXT   a header of every request to the URL; \${NAME} in it is an environment variable
  -h, --help      this text

Exit status:
  0   both files were made
  64  the command line is wrong
  69  the server gives no answer
  70  an error in this program
  73  a file cannot be made
`

const SERVER_NAME = /^[a-z0-9][a-z0-9._-]{0,63}$/

/** `writ mcp init`: a contract to begin with, which allows nothing that writes. */
export async function init(args: readonly string[], io: CliIo): Promise<number> {
  const asked = readServerArguments(args, io, { pins: 'value', name: 'value' })
  const { given, config } = asked
  if (given.switches.has('help')) {
    await io.stdout.write(INIT_HELP)
    return EXIT.ok
  }
  const [stray] = given.positionals
  if (stray !== undefined)
    throw new UsageError(`the command of the server goes after --; ${quote(stray)} does not.`)
  const [wantedName] = given.values.get('name') ?? []
  if (wantedName !== undefined && !SERVER_NAME.test(wantedName)) {
    throw new UsageError(`--name: expected 1 to 64 of a-z 0-9 . _ -, got ${quote(wantedName)}.`)
  }
  const folder = dirname(resolve(config))
  const [pinsFile = resolve(folder, 'writ.pins.json')] = given.values.get('pins') ?? []
  for (const file of [config, pinsFile]) {
    if (io.readEnd(file, 1) !== undefined) {
      throw new FileNotMade(`${file}: there is something of that name, and nothing is overwritten`)
    }
  }
  const { name: called, version, tools } = await askServer(needServer(asked))
  const name = wantedName ?? nameFrom(called)
  const starters = starterTools(tools)
  const allowed = starters.filter(({ entry }) => typeof entry === 'object')
  const pins = acceptAll({ server: name, name: called, version }, tools, allowed)
  io.makeFile(
    config,
    safeJson({
      server: name,
      tools: Object.fromEntries(
        starters.flatMap(({ name: tool, entry }) => (entry === undefined ? [] : [[tool, entry]])),
      ),
      audit: './audit.jsonl',
      pins: pathFrom(folder, pinsFile),
    }),
  )
  io.makeFile(pinsFile, pins)
  await io.stdout.write(report({ config, pinsFile, called, starters, tools }))
  return EXIT.ok
}

function acceptAll(
  identity: ServerIdentity,
  tools: readonly unknown[],
  allowed: readonly StarterTool[],
): string {
  try {
    return formatPins(
      acceptPins(
        NO_PINS,
        identity,
        tools,
        allowed.map((tool) => tool.name),
      ),
    )
  } catch (cause) {
    if (!(cause instanceof RangeError)) throw cause
    throw new CommandFailed(EXIT.noServer, `the server: ${cause.message}`, { cause })
  }
}

function nameFrom(called: string): string {
  const name = called
    .toLowerCase()
    .replaceAll(/[^a-z0-9._-]+/g, '-')
    .replace(/^[^a-z0-9]+/, '')
    .slice(0, 64)
  return SERVER_NAME.test(name) ? name : 'server'
}

function pathFrom(folder: string, file: string): string {
  const path = relative(folder, resolve(file))
  return path.startsWith('.') ? path : `./${path}`
}

interface Made {
  readonly config: string
  readonly pinsFile: string
  readonly called: string
  readonly starters: readonly StarterTool[]
  readonly tools: readonly unknown[]
}

function report({ config, pinsFile, called, starters, tools }: Made): string {
  const count = (test: (tool: StarterTool) => boolean): number => starters.filter(test).length
  const unnamed = starters.filter(({ entry }) => entry === undefined)
  const findings = starters.flatMap(({ name }, index) => {
    const lines = findingLines(tools[index])
    return lines.length === 0 ? [] : [`  ${safeText(name)}`, ...lines]
  })
  const file = safeText(config)
  return `${[
    `${file} and ${safeText(basename(pinsFile))} were made for ${safeText(called)}:`,
    `  ${count(({ entry }) => typeof entry === 'object')} tools may be called, because the server says that they only read (readOnlyHint).`,
    '    That is its own claim, which nobody has checked. Read the list, and take out what you do not need.',
    `  ${count(({ entry }) => entry === false)} tools may not be called, and are listed as false.`,
    ...(unnamed.length === 0
      ? []
      : [
          `  ${unnamed.length} tools are left out, because a contract cannot name them or tell them apart: ${unnamed.map(({ name }) => quote(name)).join(', ')}`,
        ]),
    ...(findings.length === 0 ? [] : ['Stands out in the definitions:', ...findings]),
    'Next: replace true by what each argument may be, for instance { "under": "./notes" } for a path; then',
    `  writ mcp --config ${shellWord(config)} -- <command>`,
  ].join('\n')}\n`
}
