import { canonicalJson } from '../../../core/canonical-json.js'
import { sha256Hex } from '../../../core/digest.js'

/** A tool's definition as a server lists it: everything in it. */
export type Definition = Readonly<Record<string, unknown>>

/** Characters of the canonical text of one definition. */
const MAX_DEFINITION_LENGTH = 1024 * 1024

/** The name of a definition; `undefined` for what is none. */
export function nameOf(definition: unknown): string | undefined {
  if (typeof definition !== 'object' || definition === null || !Object.hasOwn(definition, 'name'))
    return undefined
  const { name } = definition as { readonly name: unknown }
  return typeof name === 'string' && name !== '' ? name : undefined
}

/**
 * SHA-256 over the whole definition and whose it is: what the server is called in the contract and what it calls
 * itself. Its version is no part of it. `undefined` for a definition that has no canonical JSON, or is too large.
 *
 * @see RFC 8785
 */
export function definitionDigest(
  configured: string,
  calledItself: string,
  definition: unknown,
): string | undefined {
  try {
    const text = canonicalJson({ server: { configured, name: calledItself }, tool: definition })
    return text.length > MAX_DEFINITION_LENGTH ? undefined : sha256Hex(text)
  } catch {
    return undefined
  }
}
