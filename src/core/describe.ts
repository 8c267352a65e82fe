/** A short, bounded description of any value for an error message; never its contents. */
export function describe(value: unknown): string {
  if (value === null) return 'null'
  switch (typeof value) {
    case 'number':
    case 'boolean':
    case 'undefined':
      return String(value)
    case 'bigint':
      return 'a bigint'
    case 'string':
      return value.length <= 64 ? JSON.stringify(value) : `a string of ${value.length} characters`
    case 'object':
      return Array.isArray(value) ? 'an array' : 'an object'
    default:
      return `a ${typeof value}`
  }
}
