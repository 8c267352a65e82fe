/**
 * The one door to what only some runtimes have.
 *
 * Nothing in the library imports `node:*` statically, so that importing it works in a browser bundle, and
 * what needs a builtin asks here at the moment it needs it. `process.getBuiltinModule` is in Node 20.16
 * and later, and in other runtimes that implement it.
 */
export function builtin<T>(id: string): T | undefined {
  const host = (globalThis as { process?: { getBuiltinModule?: (id: string) => unknown } }).process
  return host?.getBuiltinModule?.(id) as T | undefined
}
