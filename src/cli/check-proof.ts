import { encodeJson } from '../core/json-text.js'
import { EXIT_CODES, MAX_NOTE_BYTES, type Verdict, type VerifyOptions, verifyRecordProof } from '../verify.js'
import { type CliIo, LogUnreadable, UsageError } from './cli-io.js'
import { safeText } from './safe-text.js'

/** One line and its LF, and one byte more to see that there is more. */
const MAX_RECORD_BYTES = 65_536
const LF = 0x0a

const VERDICTS: { readonly [reason: string]: Verdict } = {
  malformed: 'MALFORMED',
  unknown_keys: 'UNANCHORED',
  other_origin: 'UNANCHORED',
  bad_signature: 'UNTRUSTED',
  not_included: 'TAMPERED',
}

/** `writ verify <record> --proof`: whether one record is in a log that a known key signed, without the log. */
export async function checkProof(
  path: string,
  proofPath: string,
  { keys = [], origin }: VerifyOptions,
  isJson: boolean,
  io: CliIo,
): Promise<number> {
  if (keys.length === 0) throw new UsageError('--proof needs --key: a proof shows nothing without one.')
  const own = keys.map((trusted) => {
    if (!('key' in trusted)) return trusted
    if (trusted.validFrom !== undefined || trusted.validUntil !== undefined) {
      throw new UsageError(
        '--proof: a key with a time cannot be used, because a proof does not say when it was signed.',
      )
    }
    return trusted.key
  })
  const proof = io.readEnd(proofPath, MAX_NOTE_BYTES + 1)
  if (proof === undefined) throw new UsageError(`--proof: ${safeText(proofPath)} is not there.`)
  const line = await readRecord(path, io)
  const outcome =
    line === undefined
      ? ({ ok: false, refusal: { reason: 'malformed', detail: 'the record is not one line' } } as const)
      : await verifyRecordProof(proof, line, origin === undefined ? { keys: own } : { keys: own, origin })
  const verdict = outcome.ok ? 'VALID' : (VERDICTS[outcome.refusal.reason] ?? 'MALFORMED')
  if (isJson) {
    const proven = outcome.ok
      ? {
          seq: outcome.value.index,
          origin: outcome.value.checkpoint.origin,
          size: outcome.value.checkpoint.size,
          keys: outcome.value.signedBy.map(({ label }) => label),
        }
      : { reason: outcome.refusal.reason, detail: outcome.refusal.detail }
    await io.stdout.write(`${encodeJson({ verdict, exit: EXIT_CODES[verdict], ...proven })}\n`)
  } else if (outcome.ok) {
    const { index, checkpoint, signedBy } = outcome.value
    const who = signedBy.map(({ label }) => safeText(label)).join(' and ')
    await io.stdout.write(
      `VALID (signed): this is record ${index} of the ${checkpoint.size} records of ${safeText(checkpoint.origin)} that ${who} signed\n`,
    )
  } else {
    await io.stdout.write(`${verdict}: the record is not proven: ${safeText(outcome.refusal.detail)}\n`)
  }
  return EXIT_CODES[verdict]
}

/** The line, or nothing where there is more than one, or none. */
async function readRecord(path: string, io: CliIo): Promise<Uint8Array | undefined> {
  const bytes = new Uint8Array(MAX_RECORD_BYTES)
  let length = 0
  for await (const chunk of io.readLog(path)) {
    if (length + chunk.length > bytes.length) return undefined
    bytes.set(chunk, length)
    length += chunk.length
  }
  if (length === 0) throw new LogUnreadable('there is no record in it')
  const line = bytes.subarray(0, bytes[length - 1] === LF ? length - 1 : length)
  return line.includes(LF) ? undefined : line
}
