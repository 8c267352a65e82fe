export type Members = Readonly<Record<string, unknown>>

/** The members of a value that came from elsewhere; `undefined` for what is no object. */
export function membersOf(value: unknown): Members | undefined {
  return typeof value === 'object' && value !== null ? (value as Members) : undefined
}

/** A number as it is reported; whether it can be charged is for the session to say. */
export function numberAt(members: Members | undefined, name: string): number | undefined {
  const value = members?.[name]
  return typeof value === 'number' ? value : undefined
}

/** A count as a request has it. */
export function countOf(value: unknown): number | undefined {
  return typeof value === 'number' && Number.isSafeInteger(value) && value >= 0 ? value : undefined
}
