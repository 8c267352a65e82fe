/** Where a secret is planted, and whether the log shows what is there by contract. */
export const PLACES = {
  name: false,
  value: false,
  'nested value': false,
  'value of a made-up name': false,
  default: false,
  'wrong input': false,
  'broken JSON': false,
  description: false,
  output: false,
  'output refused': false,
  reply: false,
  usage: false,
  'tool error': false,
  'predicate error': false,
  'redact error': false,
  'key store error': false,
  'model error': false,
  'usage error': false,
  'session error': false,
  'abort reason': false,
  'error cause': false,
  'error stack': false,
  'error member': false,
  'error sentence': false,
  'schema message': false,
  'schema path': false,
  environment: false,
  header: false,
  url: false,
  'webhook secret': false,
  // What SECURITY.md says is logged as it is passed.
  user: true,
  task: true,
  model: true,
  'call id': true,
  'tool name': true,
  'error name': true,
  'error code': true,
  'price source': true,
  redacted: true,
} as const satisfies Readonly<Record<string, boolean>>

export type Place = keyof typeof PLACES | 'sink'

/** A secret that is nowhere else, and that looks like a name: only its place keeps it out. */
export function canary(place: Place): string {
  return `sk-${Buffer.from(place.padEnd(24, '.')).toString('hex')}`.replaceAll('-', '_')
}

/** Every form in which a secret could come out. */
export function formsOf(secret: string | Uint8Array): string[] {
  const bytes = Buffer.from(secret as string)
  // Base64 of a text that holds the secret: it begins at any of three places.
  const shifted = [0, 1, 2].map((shift) =>
    Buffer.concat([Buffer.alloc(shift), bytes])
      .toString('base64')
      .slice(4, -4),
  )
  const raw = typeof secret === 'string' ? [secret, encodeURIComponent(secret)] : []
  return [...raw, bytes.toString('hex'), ...shifted]
}
