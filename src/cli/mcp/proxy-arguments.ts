import { quote } from '../../core/json-text.js'
import { readArguments } from '../arguments.js'
import { UsageError } from '../cli-io.js'
import { OWN_HEADERS } from './http-headers.js'

/** A server as a command line names it: what starts it, or where it is. */
export type ServerPlace =
  | { readonly command: string; readonly args: readonly string[] }
  | { readonly url: URL; readonly headers: Readonly<Record<string, string>> }

/** What `writ mcp` was asked to do. */
export interface ProxyArguments {
  readonly isHelp: boolean
  readonly config: string
  readonly server: ServerPlace | undefined
}

type Environment = Readonly<Record<string, string | undefined>>

/** The words before `--`, and those after it; `undefined` where there is none. */
export function splitCommand(args: readonly string[]): {
  readonly own: readonly string[]
  readonly command: readonly string[] | undefined
} {
  const at = args.indexOf('--')
  return at < 0 ? { own: args, command: undefined } : { own: args.slice(0, at), command: args.slice(at + 1) }
}

/**
 * Reads the command line of the proxy.
 *
 * @throws {@link UsageError} unless it names exactly one server.
 */
export function readProxyArguments(args: readonly string[], env: Environment): ProxyArguments {
  const { own, command } = splitCommand(args)
  const given = readArguments(own, { config: 'value', url: 'value', header: 'values' })
  const [config = 'writ.config.json'] = given.values.get('config') ?? []
  if (given.switches.has('help')) return { isHelp: true, config, server: undefined }
  const [stray] = given.positionals
  if (stray !== undefined) {
    throw new UsageError(`the command of the server goes after --: writ mcp -- ${quote(stray)} ….`)
  }
  const [url] = given.values.get('url') ?? []
  const headers = given.values.get('header') ?? []
  if (url !== undefined && command !== undefined)
    throw new UsageError('--url or a command after --, not both.')
  if (url !== undefined) return { isHelp: false, config, server: readUrlPlace(url, headers, env) }
  if (headers.length > 0) throw new UsageError('--header goes with --url.')
  const [program, ...rest] = command ?? []
  if (program === undefined || program === '') {
    throw new UsageError('which server? Write its command after --, or its URL after --url.')
  }
  return { isHelp: false, config, server: { command: program, args: rest } }
}

/**
 * A server behind a URL.
 *
 * @throws {@link UsageError} for a URL or a header that is not usable.
 */
export function readUrlPlace(text: string, headers: readonly string[], env: Environment): ServerPlace {
  const url = URL.canParse(text) ? new URL(text) : undefined
  if (url === undefined) throw new UsageError(`--url: ${quote(text)} is no URL.`)
  if (url.username !== '' || url.password !== '') {
    throw new UsageError('--url: credentials do not belong in a URL; send them with --header.')
  }
  if (url.protocol !== 'https:' && !(url.protocol === 'http:' && isThisMachine(url.hostname))) {
    throw new UsageError('--url: expected https:, or http: on this machine.')
  }
  url.hash = ''
  return { url, headers: Object.fromEntries(headers.map((header) => readHeader(header, env))) }
}

function isThisMachine(host: string): boolean {
  return host === 'localhost' || host === '[::1]' || /^127(?:\.\d{1,3}){3}$/.test(host)
}

/** `Name: value`, where `${NAME}` is an environment variable: a command line is no place for a secret. */
function readHeader(header: string, env: Environment): [name: string, value: string] {
  const colon = header.indexOf(':')
  const name = header.slice(0, Math.max(0, colon)).trim().toLowerCase()
  if (!/^[a-z0-9!#$%&'*+.^_`|~-]+$/.test(name)) {
    throw new UsageError('--header: expected "Name: value".')
  }
  if (OWN_HEADERS.has(name)) throw new UsageError(`--header: ${name} is not yours to set.`)
  const value = header
    .slice(colon + 1)
    .trim()
    .replaceAll(/\$\{([A-Za-z_][A-Za-z0-9_]*)\}/g, (_, variable: string) => {
      const found = env[variable]
      if (found === undefined || found === '') {
        throw new UsageError(`--header: the environment variable ${variable} is not set.`)
      }
      return found
    })
  if (!/^[\x20-\x7e]*$/.test(value)) throw new UsageError(`--header: ${name} has a value that is no header.`)
  return [name, value]
}
