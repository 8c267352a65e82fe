import { hmac } from '@noble/hashes/hmac.js'
import { sha256 } from '@noble/hashes/sha2.js'
import { decodeBase64, encodeBase64 } from '../audit/note/base64.js'
import type { Remaining } from '../contract/any-session.js'
import type { ApprovalRequest } from '../contract/approval.js'
import type { PlainData } from '../core/json.js'
import { encodeJson } from '../core/json-text.js'
import { exactText } from './approval-digest.js'

/** A call that was suspended until somebody decides. */
export interface SuspendedCall {
  readonly request: ApprovalRequest
  /** The model's id for the call. */
  readonly modelCallId?: string
  /** The input as it was given to the session, before the schema; a member that is absent was `undefined`. */
  readonly given?: PlainData
  /** The tools that its session could call. */
  readonly tools: readonly string[]
  /** What was left of the limits of its session. */
  readonly remaining: Remaining
}

const PREFIX = 'writ-approval.v1.'
const encoder = new TextEncoder()
const decoder = new TextDecoder()

/**
 * A suspended call as a text: its JSON, readable to anybody, under an HMAC-SHA256.
 *
 * @throws TypeError for an input that JSON cannot hold exactly.
 */
export function sealToken(secret: Uint8Array, call: SuspendedCall): string {
  const text = encodeJson(call)
  const kept = (JSON.parse(text) as SuspendedCall).given
  if (exactText(kept) !== exactText(call.given)) {
    throw new TypeError('the input holds what JSON cannot (a bigint, -0, …), so that it cannot be suspended')
  }
  const body = `${PREFIX}${toUrl(encoder.encode(text))}`
  return `${body}.${toUrl(mac(secret, body))}`
}

/**
 * The call in a token.
 *
 * @throws TypeError for what is no token, or not one under this secret; the message holds nothing of it.
 */
export function openToken(label: string, secret: Uint8Array | undefined, token: unknown): SuspendedCall {
  if (secret === undefined) throw new TypeError(`${label}: the agent has no approvalSecret`)
  if (typeof token !== 'string') throw new TypeError(`${label}: token: expected a string`)
  const end = token.lastIndexOf('.')
  const body = token.slice(0, Math.max(0, end))
  const given = fromUrl(token.slice(end + 1))
  if (!body.startsWith(PREFIX) || given === undefined || !isSame(given, mac(secret, body))) {
    throw new TypeError(`${label}: token: not made with this agent's approvalSecret, or changed since`)
  }
  return JSON.parse(decoder.decode(fromUrl(body.slice(PREFIX.length)))) as SuspendedCall
}

function mac(secret: Uint8Array, body: string): Uint8Array {
  return hmac(sha256, secret, encoder.encode(body))
}

/** Takes the same time wherever the two differ. */
function isSame(one: Uint8Array, other: Uint8Array): boolean {
  let difference = one.length ^ other.length
  for (let index = 0; index < other.length; index++) {
    difference |= (one[index] ?? 0) ^ (other[index] as number)
  }
  return difference === 0
}

/** @see RFC 4648, section 5, without padding */
function toUrl(bytes: Uint8Array): string {
  return encodeBase64(bytes).replaceAll('+', '-').replaceAll('/', '_').replaceAll('=', '')
}

function fromUrl(text: string): Uint8Array | undefined {
  if (!/^[A-Za-z0-9_-]*$/.test(text)) return undefined
  const base64 = text.replaceAll('-', '+').replaceAll('_', '/')
  return decodeBase64(base64 + '='.repeat((4 - (base64.length % 4)) % 4))
}
