import type { RemoteError } from './protocol.js'

/** The error that a tool threw, made again from its text: name, message, code and stack are the tool's. */
export function toolError({ name, message, code, stack }: RemoteError): Error {
  const error = new Error(message)
  const members = { name, ...(code === undefined ? {} : { code }), ...(stack === undefined ? {} : { stack }) }
  for (const [key, value] of Object.entries(members)) {
    Object.defineProperty(error, key, {
      value,
      configurable: true,
      writable: true,
      enumerable: key === 'code',
    })
  }
  return error
}
