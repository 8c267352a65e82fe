import { describe } from '../core/describe.js'
import { readCount, readOptions } from '../core/guards.js'
import { splitHistory } from './checkpoint-history.js'
import type { Assurance, Expectation, TimeSpan } from './expectation.js'
import type { Finding, FindingKind } from './finding.js'
import { type Checkpoint, openCheckpoint, parseCheckpoint } from './note/checkpoint.js'
import { type Outcome, refuse } from './note/outcome.js'
import { parseNote } from './note/signed-note.js'
import type { VerifierKey } from './note/verifier-key.js'
import { type DatedKey, readTrustedKey, type TrustedKey } from './trusted-key.js'

const HASH_HEX = /^[0-9a-f]{64}$/

/** A size and a head that the log had once. */
export interface RememberedHead {
  /** Records. */
  readonly size: number
  /** `hash` of the last of them, 64 lowercase hexadecimal digits. */
  readonly hash: string
}

/** What a verdict can rest on, beside the log itself. */
export interface VerifyOptions {
  /** The verifier's own keys, from their owner and never from the log. */
  readonly keys?: readonly (VerifierKey | TrustedKey)[]
  /** The log that checkpoints must be of. Default: the log that one of the keys that signed is named after. */
  readonly origin?: string
  /** What lies beside the log: each a checkpoint, or a history of them. Believed only under one of `keys`. */
  readonly checkpoints?: readonly (string | Uint8Array)[]
  /** What was kept out of reach of whoever writes the log. */
  readonly remembered?: {
    readonly heads?: readonly RememberedHead[]
    /** Checkpoints, believed as they are where there are no `keys`; otherwise they have to verify as well. */
    readonly checkpoints?: readonly (string | Uint8Array)[]
  }
  /** The least that is `VALID`. Default: `signed`. */
  readonly require?: Assurance
}

/** What was made of {@link VerifyOptions} before the log is looked at. */
export interface Trust {
  readonly expected: readonly Expectation[]
  readonly findings: readonly Finding[]
  /** True when something bears the name of a known key that never signed it. */
  readonly isForged: boolean
  /** True when there were checkpoints beside the log, whatever they are worth. */
  readonly hasCheckpoints: boolean
  readonly require: Assurance
}

const REFUSED: { readonly [reason: string]: FindingKind } = {
  malformed: 'checkpoint_malformed',
  bad_signature: 'checkpoint_forged',
  unknown_keys: 'checkpoint_unknown_keys',
  other_origin: 'checkpoint_other_log',
}

/**
 * Verifies every signature that there is, so that a log can then be looked at piece by piece.
 *
 * @throws TypeError or RangeError when an option is unknown or not what it should be, also for a remembered
 * checkpoint that is none.
 * @throws {@link RuntimeUnsupported} (ERR_RUNTIME_UNSUPPORTED) where there is no Ed25519.
 * @example
 * const verifier = new LogVerifier(await prepareTrust({ keys, checkpoints: [sidecar] }))
 */
export async function prepareTrust(options: VerifyOptions = {}): Promise<Trust> {
  const read = readOptions('verify options', options, [
    'keys',
    'origin',
    'checkpoints',
    'remembered',
    'require',
  ])
  const keys = readArray('keys', read.keys).map((key, index) => readTrustedKey(`keys[${index}]`, key))
  const remembered = readOptions('remembered', read.remembered ?? {}, ['heads', 'checkpoints'])
  const gathering = new Gathering(keys, readOrigin(read.origin))
  const beside = readArray('checkpoints', read.checkpoints)
  for (const [index, file] of beside.entries())
    await gathering.beside(readNote(`checkpoints[${index}]`, file))
  const kept = readArray('remembered.checkpoints', remembered.checkpoints)
  for (const [index, file] of kept.entries()) {
    const label = `remembered.checkpoints[${index}]`
    await gathering.kept(label, readNote(label, file))
  }
  const heads = readArray('remembered.heads', remembered.heads)
  return Object.freeze({
    expected: [
      ...gathering.expected,
      ...heads.map((head, index) => readHead(`remembered.heads[${index}]`, head)),
    ],
    findings: gathering.findings(),
    isForged: gathering.isForged,
    hasCheckpoints: beside.length > 0,
    require: readRequire(read.require),
  })
}

class Gathering {
  readonly expected: Expectation[] = []
  isForged = false
  readonly #keys: readonly DatedKey[]
  readonly #trust: { readonly keys: readonly VerifierKey[]; readonly origin?: string }
  readonly #origin: string | undefined
  readonly #found = new Map<FindingKind, { count: number; detail: string }>()

  constructor(keys: readonly DatedKey[], origin: string | undefined) {
    this.#keys = keys
    this.#origin = origin
    const own = keys.map(({ key }) => key)
    this.#trust = origin === undefined ? { keys: own } : { keys: own, origin }
  }

  /** A file that lay beside the log. */
  async beside(file: string | Uint8Array): Promise<void> {
    const { notes, isSkipped, isCut } = splitHistory(file)
    if (isSkipped)
      this.#note('checkpoints_skipped', 'there are more checkpoints than are checked; the newest were')
    if (isCut) this.#note('checkpoint_cut', 'the last checkpoint of a file is cut, as a crash leaves it')
    for (const note of new Set(notes)) {
      const whole = await this.#withoutCut(note)
      if (whole !== note)
        this.#note('checkpoint_cut', 'a checkpoint is cut, as a crash leaves it, and another one follows')
      await this.#open(whole, 'signed')
    }
  }

  /**
   * The note itself, without what a crash left of another one before it. Together they would bear a signature
   * that cannot hold, which nobody forged.
   */
  async #withoutCut(note: string): Promise<string> {
    const { keys, origin } = this.#trust
    for (const name of origin === undefined ? keys.map((key) => key.name) : [origin]) {
      const at = note.lastIndexOf(`${name}\n`)
      if (at > 0 && (await openCheckpoint(note.slice(at), this.#trust)).ok) return note.slice(at)
    }
    return note
  }

  /** A checkpoint that was kept elsewhere. */
  async kept(label: string, note: string | Uint8Array): Promise<void> {
    const parsed = readCheckpoint(note)
    if (!parsed.ok) throw new TypeError(`${label}: ${parsed.refusal.detail}`)
    if (this.#keys.length > 0) return this.#open(note, 'anchored')
    if (this.#origin !== undefined && this.#origin !== parsed.value.origin) {
      this.#note('checkpoint_other_log', 'a checkpoint that was given is of another log')
    } else this.expected.push(expectationOf(parsed.value, 'anchored'))
  }

  findings(): Finding[] {
    return [...this.#found].map(([kind, { count, detail }]) => Object.freeze({ kind, count, detail }))
  }

  async #open(note: string | Uint8Array, assurance: Assurance): Promise<void> {
    const opened = await openCheckpoint(note, this.#trust)
    if (opened.ok) {
      const { checkpoint, signedBy } = opened.value
      const spans = this.#keys.flatMap(({ key, span }) =>
        span !== undefined && signedBy.some(({ label }) => label === key.label) ? [span] : [],
      )
      this.expected.push(expectationOf(checkpoint, assurance, signedBy, spans))
      return
    }
    const { reason, detail } = opened.refusal
    if (reason === 'bad_signature') this.isForged = true
    this.#note(REFUSED[reason] ?? 'checkpoint_malformed', detail)
  }

  #note(kind: FindingKind, detail: string): void {
    const found = this.#found.get(kind)
    if (found === undefined) this.#found.set(kind, { count: 1, detail })
    else found.count += 1
  }
}

function readCheckpoint(note: string | Uint8Array): Outcome<Checkpoint> {
  const parsed = parseNote(note)
  return parsed.ok ? parseCheckpoint(parsed.value.text) : refuse('malformed', parsed.refusal.detail)
}

function expectationOf(
  { size, root }: Checkpoint,
  assurance: Assurance,
  signedBy: readonly VerifierKey[] = [],
  spans: readonly TimeSpan[] = [],
): Expectation {
  return Object.freeze({ assurance, size, root, keys: signedBy.map(({ label }) => label), spans })
}

function readHead(label: string, head: unknown): Expectation {
  const { size, hash } = readOptions(label, head, ['size', 'hash'])
  if (typeof hash !== 'string' || !HASH_HEX.test(hash)) {
    throw new TypeError(`${label}.hash: expected 64 lowercase hexadecimal digits, got ${describe(hash)}`)
  }
  return Object.freeze({ assurance: 'anchored', size: readCount(`${label}.size`, size), hash })
}

function readArray(label: string, value: unknown): readonly unknown[] {
  if (value === undefined) return []
  if (!Array.isArray(value)) throw new TypeError(`${label}: expected an array, got ${describe(value)}`)
  return value
}

function readNote(label: string, value: unknown): string | Uint8Array {
  if (typeof value === 'string' || value instanceof Uint8Array) return value
  throw new TypeError(`${label}: expected a text or bytes, got ${describe(value)}`)
}

function readOrigin(value: unknown): string | undefined {
  if (value === undefined || (typeof value === 'string' && value !== '')) return value
  throw new TypeError(`origin: expected a text, got ${describe(value)}`)
}

function readRequire(value: unknown): Assurance {
  if (value === undefined || value === 'signed') return 'signed'
  if (value === 'anchored') return 'anchored'
  throw new TypeError(`require: expected signed or anchored, got ${describe(value)}`)
}
