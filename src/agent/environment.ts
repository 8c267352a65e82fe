/** The environment of the process, empty where there is none. */
export function processEnv(): { readonly [name: string]: string | undefined } {
  return (globalThis as { process?: { env?: Record<string, string | undefined> } }).process?.env ?? {}
}
