import { isPlainObject } from '../core/guards.js'

/** 127.0.0.0/8 in the one form that the URL parser leaves of an IPv4 address. */
const LOOPBACK = /^(?:localhost|127\.\d+\.\d+\.\d+|\[::1\])$/

/**
 * An address that records may be sent to: `https:`, or `http:` on this machine.
 *
 * @throws TypeError for any other; the message holds nothing of it but the scheme.
 */
export function readUrl(label: string, value: unknown): URL {
  if (typeof value !== 'string' && !(value instanceof URL)) throw new TypeError(`${label}: expected a URL`)
  // The parser's own error would hold the whole URL.
  const url = URL.canParse(String(value)) ? new URL(String(value)) : undefined
  if (url === undefined) throw new TypeError(`${label}: expected an absolute URL`)
  if (url.username !== '' || url.password !== '') {
    throw new TypeError(`${label}: the URL must not hold credentials; send them in a header`)
  }
  if (url.protocol !== 'https:' && !(url.protocol === 'http:' && LOOPBACK.test(url.hostname))) {
    throw new TypeError(`${label}: expected an https: URL (http: only for this machine), got ${url.protocol}`)
  }
  return url
}

/** RFC 9110, section 5.1 and 5.5. */
const HEADER_NAME = /^[!#$%&'*+\-.^_`|~0-9A-Za-z]+$/
const HEADER_VALUE = /^[\t\x20-\x7e\x80-\xff]*$/

/** What describes the message or the connection is not the caller's to say. */
const RESERVED =
  /^(?:webhook-.*|content-(?:type|length|encoding)|host|connection|keep-alive|proxy-.*|te|trailer|transfer-encoding|upgrade|expect)$/

/**
 * Headers to send along, their names in lower case.
 *
 * @throws TypeError for a header that cannot be set or is not well-formed; the message holds no value.
 */
export function readHeaders(label: string, value: unknown): [string, string][] {
  if (!isPlainObject(value)) throw new TypeError(`${label}: expected an object of strings`)
  const headers = new Map<string, string>()
  for (const [given, text] of Object.entries(value)) {
    if (!HEADER_NAME.test(given)) throw new TypeError(`${label}: one of the names is no header name`)
    const name = given.toLowerCase()
    if (RESERVED.test(name)) throw new TypeError(`${label}: ${name} cannot be set`)
    if (headers.has(name)) throw new TypeError(`${label}: ${name} is there twice`)
    if (typeof text !== 'string' || !HEADER_VALUE.test(text)) {
      throw new TypeError(`${label}: expected ${name} to be a string without line breaks, in Latin-1`)
    }
    headers.set(name, text)
  }
  return [...headers]
}
