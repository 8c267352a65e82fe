import type { Definition } from './definition.js'

/** The format that this version reads and writes. */
export const PIN_FORMAT = 'writ-pins/1'

/** One definition that somebody has accepted. */
export interface Pin {
  /** SHA-256 over the definition and whose it is, in hexadecimal. */
  readonly digest: string
  /** As it was accepted, to show what has changed. */
  readonly definition: Definition
  /** Other servers with a tool of this name that were known when it was accepted. */
  readonly besides: readonly string[]
}

/** What was accepted of one server. */
export interface ServerPins {
  /** What the server calls itself. */
  readonly name: string
  /** Its version when a tool was accepted last: noted, and not compared. */
  readonly version: string | undefined
  readonly tools: ReadonlyMap<string, Pin>
}

/** Everything that was accepted, by what the servers are called in contracts. */
export interface Pins {
  readonly servers: ReadonlyMap<string, ServerPins>
}

export const NO_PINS: Pins = Object.freeze({ servers: new Map<string, ServerPins>() })
