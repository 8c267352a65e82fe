import { base64url } from 'jose'
import { isPlainObject } from '../core/guards.js'
import { MAX_TOKEN_LENGTH } from './claims.js'

/**
 * Three parts of base64url; the last holds 64 bytes and ends in a character that has no spare bits set, so
 * that no token has a second spelling.
 */
const COMPACT = /^[\w-]+\.[\w-]+\.[\w-]{85}[AQgw]$/

const decoder = new TextDecoder('utf-8', { fatal: true })

/** The header of a token that may be one, before anything in it is believed. */
export function readHeader(token: unknown): Readonly<Record<string, unknown>> | undefined {
  if (typeof token !== 'string' || token.length > MAX_TOKEN_LENGTH || !COMPACT.test(token)) return undefined
  const header = readJson(token.slice(0, token.indexOf('.')))
  return isPlainObject(header) ? header : undefined
}

/** The payload of a token whose signature holds. */
export function readPayload(bytes: Uint8Array): unknown {
  try {
    return JSON.parse(decoder.decode(bytes))
  } catch {
    return undefined
  }
}

function readJson(part: string): unknown {
  try {
    return JSON.parse(decoder.decode(base64url.decode(part)))
  } catch {
    return undefined
  }
}

/** True when `header` has exactly these members: what is not expected is not understood, and so is refused. */
export function hasMembers(header: Readonly<Record<string, unknown>>, names: readonly string[]): boolean {
  return Object.keys(header).sort().join() === [...names].sort().join()
}
