import { readMember } from './guards.js'

/** Names and codes of errors are logged, messages are not; what does not look like a name is not one. */
export const NAME: RegExp = /^[A-Za-z0-9_.$:-]{1,64}$/

/** An error as the log shows it: its name and its code. */
export function errorText(error: unknown): string {
  let name: unknown
  let code: unknown
  try {
    name = readMember(error, 'name')
    code = readMember(error, 'code')
  } catch {
    // A getter that throws: it has no name.
  }
  const nameText = typeof name === 'string' && NAME.test(name) ? name : 'Error'
  const codeText = typeof code === 'string' && NAME.test(code) ? `,"code":"${code}"` : ''
  return `{"name":"${nameText}"${codeText}}`
}
