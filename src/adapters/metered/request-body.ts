import type { Members } from './members.js'

/**
 * The body of a request that is to be metered.
 *
 * @throws TypeError for one that is not the text of a JSON object: it cannot be metered.
 */
export function parseBody(label: string, text: unknown): Members {
  let body: unknown
  try {
    body = typeof text === 'string' ? JSON.parse(text) : undefined
  } catch {
    body = undefined
  }
  if (typeof body !== 'object' || body === null || Array.isArray(body)) {
    throw new TypeError(`${label} needs a body that is the text of a JSON object`)
  }
  return body as Members
}
