import { type CheckArguments, compileDeclared } from './declared-schema.js'
import type { Refusal } from './forwarded-call.js'
import { isMembers, type Members } from './json-rpc.js'
import { METHOD_PREFIX } from './methods.js'
import type { PinCheck, ServerIdentity } from './pin-check.js'
import { readToolName } from './tool-name.js'

const MAX_PAGES = 1000
const MAX_TOOLS = 10_000

/** A tool that a server declares, and why it may not be called, if it may not. */
interface Declared {
  readonly text: string
  readonly definition: Members
  refusal: Refusal | undefined
  check: CheckArguments | undefined
}

/** Asks a server for one page of its tools. */
export type AskForTools = (cursor: string | undefined) => Promise<unknown>

/**
 * The tools of a server, as it declares them: listed in full before any of them is passed on or called, so that
 * one page cannot hide what another says.
 */
export class DeclaredTools {
  readonly #identity: () => ServerIdentity
  readonly #pins: PinCheck | undefined
  readonly #prefix: string
  readonly #report: (error: Error) => void
  #listing: Promise<ReadonlyMap<string, Declared>> | undefined

  constructor(
    identity: () => ServerIdentity,
    pins: PinCheck | undefined,
    prefix: string,
    report: (error: Error) => void,
  ) {
    this.#identity = identity
    this.#pins = pins
    this.#prefix = prefix
    this.#report = report
  }

  /** The server says that its tools have changed, or shows one that was not there. */
  forget(): void {
    this.#listing = undefined
  }

  /** Every tool that the server declares, with why it may not be called, if it may not. */
  async all(
    ask: AskForTools,
  ): Promise<
    readonly { readonly name: string; readonly definition: Members; readonly refusal?: string | undefined }[]
  > {
    return Array.from(await this.#list(ask), ([name, { definition, refusal }]) => ({
      name,
      definition,
      refusal: refusal?.text,
    }))
  }

  /**
   * Why a tool may not be called with this input; `undefined` where nothing that the server declares is against it.
   *
   * @throws where the server cannot be asked, or does not answer with a list of tools.
   */
  async refusalOf(name: string, input: unknown, ask: AskForTools): Promise<Refusal | undefined> {
    const declared = (await this.#list(ask)).get(name)
    if (declared === undefined) {
      return { code: 'not_declared', text: 'the server declares no tool of this name' }
    }
    if (declared.refusal !== undefined) return declared.refusal
    try {
      declared.check ??= compileDeclared(declared.definition['inputSchema'])
    } catch (cause) {
      declared.refusal = unusable(
        `the schema that the server declares cannot be used: ${(cause as Error).message}`,
      )
      return declared.refusal
    }
    const fault = faultIn(declared.check, input)
    if (fault === undefined) return undefined
    return { code: 'server_schema', text: `the server's own schema does not allow this: ${fault}` }
  }

  /** Those of one page that may be shown: just as they were listed in full, and not refused. */
  async shown(page: readonly unknown[], ask: AskForTools): Promise<readonly unknown[]> {
    let all = await this.#list(ask)
    if (page.some((tool) => !isIn(all, tool))) {
      // The server has changed them since, and has not said so.
      this.forget()
      all = await this.#list(ask)
    }
    return page.filter((tool) => isIn(all, tool) && all.get(nameOf(tool))?.refusal === undefined)
  }

  #list(ask: AskForTools): Promise<ReadonlyMap<string, Declared>> {
    const listing = this.#listing ?? this.#listAll(ask)
    this.#listing = listing
    listing.catch(() => {
      // It is asked again the next time.
      if (this.#listing === listing) this.#listing = undefined
    })
    return listing
  }

  async #listAll(ask: AskForTools): Promise<ReadonlyMap<string, Declared>> {
    const all = new Map<string, Declared>()
    let cursor: string | undefined
    let pages = 0
    do {
      const page = await ask(cursor)
      if (!isMembers(page) || !Array.isArray(page['tools'])) {
        throw new TypeError('the answer to tools/list is no list of tools')
      }
      for (const tool of page['tools']) this.#add(all, tool)
      const { nextCursor } = page
      if (nextCursor !== undefined && typeof nextCursor !== 'string') {
        throw new TypeError('the answer to tools/list has a nextCursor that is no string')
      }
      pages += 1
      if (all.size > MAX_TOOLS || pages > MAX_PAGES) throw new RangeError('the list of tools has no end')
      cursor = nextCursor
    } while (cursor !== undefined)
    this.#refuseShared(all)
    this.#refuseUnpinned(all)
    return all
  }

  #add(all: Map<string, Declared>, tool: unknown): void {
    if (!isMembers(tool) || typeof tool['name'] !== 'string') {
      this.#report(new TypeError('the server lists a tool without a name; it is left out'))
      return
    }
    const { name } = tool
    const before = all.get(name as string)
    if (before !== undefined) {
      before.refusal = unusable('the server declares it twice')
      return
    }
    const refusal = isMembers(tool['inputSchema'])
      ? undefined
      : unusable('the server declares no inputSchema for it')
    all.set(name as string, { text: JSON.stringify(tool), definition: tool, refusal, check: undefined })
  }

  /** Two names that are one in the agent: the contract of one would be that of the other. */
  #refuseShared(all: ReadonlyMap<string, Declared>): void {
    const owners = new Map<string, string>()
    for (const [name, declared] of all) {
      const own = readToolName(name, this.#prefix)
      const other = own === undefined ? undefined : owners.get(own)
      const isReserved = readToolName(name)?.startsWith(METHOD_PREFIX) === true
      if (own === undefined) declared.refusal ??= unusable('an agent can have no tool of this name')
      else if (isReserved) declared.refusal ??= unusable('its name is for a method of the protocol')
      else if (other === undefined) owners.set(own, name)
      else {
        const refusal = unusable(
          `the server declares ${JSON.stringify(other)} and ${JSON.stringify(name)}, which are one name here`,
        )
        declared.refusal = refusal
        const first = all.get(other)
        if (first !== undefined) first.refusal = refusal
      }
    }
  }

  #refuseUnpinned(all: ReadonlyMap<string, Declared>): void {
    if (this.#pins === undefined) return
    const verdicts = this.#pins.check(
      this.#identity(),
      Array.from(all.values(), ({ definition }) => definition),
    )
    for (const [name, declared] of all) {
      const said = verdicts.filter((each) => each.name === name)
      const against = said.find(({ verdict }) => verdict !== 'same')
      if (said.length === 0) declared.refusal ??= unaccepted('nobody has accepted its definition')
      else if (against !== undefined) {
        declared.refusal ??= unaccepted(
          `its definition is ${against.verdict}: ${against.why ?? 'nobody has accepted it'}`,
        )
      }
    }
  }
}

const unusable = (text: string): Refusal => ({ code: 'not_usable', text })
const unaccepted = (text: string): Refusal => ({ code: 'not_accepted', text })

/** A schema can ask for more than the stack holds: then nobody can say that the input is valid. */
function faultIn(check: CheckArguments, input: unknown): string | undefined {
  try {
    return check(input)
  } catch {
    return 'they could not be checked'
  }
}

const nameOf = (tool: unknown): string => (isMembers(tool) ? String(tool['name']) : '')

function isIn(all: ReadonlyMap<string, Declared>, tool: unknown): boolean {
  return all.get(nameOf(tool))?.text === JSON.stringify(tool)
}
