import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { canonicalMembers, joinMembers } from '../../src/audit/aegrail/canonical.js'
import { sha256Hex } from '../../src/core/digest.js'

const folder = join(import.meta.dirname, '../vectors/aegrail')

const aegrailPath = (name: string): string => join(folder, name)

export const aegrailBytes = (name: string): Uint8Array => new Uint8Array(readFileSync(aegrailPath(name)))

export const aegrailLines = (name: string): string[] =>
  readFileSync(aegrailPath(name), 'utf8').trimEnd().split('\n')

export const aegrailJson = <T>(name: string): T => JSON.parse(readFileSync(aegrailPath(name), 'utf8')) as T

/** Members of a record as JSON text; everything has a default. */
export interface AegrailParts {
  readonly ts?: string
  readonly event?: string
  readonly invoking_user?: string
  readonly payload?: string
  readonly budget?: string
}

/** The body of a record, without its braces and its hashes. */
const bodyOf = (part: AegrailParts): string =>
  Object.entries({
    ts: '"2026-11-20T21:27:57.714Z"',
    session_id: '"s"',
    agent_identity: '"bot/v1"',
    invoking_user: '"alice"',
    principal: '"bot/v1@s"',
    event: '"tool_call"',
    payload: '{}',
    budget: '{}',
    ...part,
  })
    .map(([name, text]) => `"${name}":${text}`)
    .join(',')

/** Lines whose hashes hold, whatever else they hold: what somebody can write who has nothing but the rule. */
export function aegrailChain(parts: readonly AegrailParts[]): string[] {
  let previous = 'null'
  return parts.map((part) => {
    const body = `${bodyOf(part)},"prev_hash":${previous}`
    const members = canonicalMembers(`{${body}}`)
    const hash = sha256Hex(joinMembers(members, [...members.keys()].sort()))
    previous = `"${hash}"`
    return `{${body},"event_hash":"${hash}"}`
  })
}

/** A first line with this text as its payload, whatever it is; its hash does not hold. */
export function aegrailLine(payload: string): string {
  return `{${bodyOf({ payload })},"prev_hash":null,"event_hash":"${'0'.repeat(64)}"}`
}
