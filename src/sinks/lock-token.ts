/** What a lock file says about the writer that holds the log. */
export interface LockToken {
  /** Random: no two openings share one. */
  readonly id: string
  readonly host: string
  readonly pid: number
  /** When the log was opened, by the clock of the holder. */
  readonly opened: string
  /** The kernel and the network namespace whose sockets can tell whether the holder lives. */
  readonly scope?: string
  /** The file whose socket that is: device and inode. */
  readonly identity: string
}

/** Always the same length, so that writing one over another leaves no mixture. */
export const TOKEN_BYTES = 512
const VERSION = 1

const SHAPES: { readonly [member: string]: RegExp } = {
  id: /^[0-9a-f]{32}$/,
  // What is shown to people must not steer their terminal.
  host: /^[\w.-]{0,64}$/,
  opened: /^[\dTZ:.-]{20,30}$/,
  scope: /^[0-9a-f-]{36} net:\[\d{1,20}\]$/,
  identity: /^\d{1,20}:\d{1,20}$/,
}

export function encodeToken(token: LockToken): Uint8Array {
  const text = JSON.stringify({ writ_lock: VERSION, ...token })
  return new TextEncoder().encode(`${text.padEnd(TOKEN_BYTES - 1)}\n`)
}

/** @returns `undefined` for anything that is not a token of this version. */
export function decodeToken(bytes: Uint8Array): LockToken | undefined {
  if (bytes.length !== TOKEN_BYTES) return undefined
  let value: Record<string, unknown> | null
  try {
    value = JSON.parse(new TextDecoder('utf-8', { fatal: true }).decode(bytes)) as typeof value
  } catch {
    return undefined
  }
  if (typeof value !== 'object' || value === null || value['writ_lock'] !== VERSION) return undefined
  const { pid } = value
  if (typeof pid !== 'number' || !Number.isSafeInteger(pid) || pid < 0) return undefined
  for (const [member, shape] of Object.entries(SHAPES)) {
    const text = value[member]
    if (member === 'scope' && text === undefined) continue
    if (typeof text !== 'string' || !shape.test(text)) return undefined
  }
  return value as unknown as LockToken
}
