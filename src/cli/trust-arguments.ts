import { quote } from '../core/json-text.js'
import { MAX_NOTE_BYTES, parseTrustedKeys, type TrustedKey, type VerifyOptions } from '../verify.js'
import type { Arguments, OptionKind } from './arguments.js'
import { type CliIo, UsageError } from './cli-io.js'

/** The options that say whom to believe. */
export const TRUST_OPTIONS: Readonly<
  Record<'key' | 'origin' | 'head' | 'checkpoint' | 'require', OptionKind>
> = { key: 'values', origin: 'value', head: 'values', checkpoint: 'values', require: 'value' }

/** What they mean, for the help of every command that takes them. */
export const TRUST_HELP: string = `  --key KEY          whom to believe: name+id+base64, or a file of such lines, each optionally followed by
                     from=TIME and until=TIME. From the key's owner, never from where the log is
  --origin NAME      the log that checkpoints must be of; otherwise the one that the key is named after
  --head SIZE:HASH   a number of records and the head that the log had then, from where they were kept
  --checkpoint FILE  a checkpoint from where it was kept
  --require WHAT     signed (a key is enough), or anchored (only what was kept elsewhere is)`

const KEY_TEXT = /\+[0-9a-f]{8}\+[A-Za-z0-9+/]+=*$/
const PRIVATE = 'PRIVATE+KEY+'
const HEAD = /^(\d{1,16}):([0-9a-f]{64})$/
const MAX_KEY_FILE_BYTES = 1_048_576

/**
 * Whom the command line says to believe.
 *
 * @throws {@link UsageError} for a key, a head or a checkpoint that is none.
 */
export function readTrustArguments({ values }: Arguments, io: CliIo): VerifyOptions {
  const keys = (values.get('key') ?? []).flatMap((text) => readKeys(text, io))
  const heads = (values.get('head') ?? []).map(readHead)
  const checkpoints = (values.get('checkpoint') ?? []).map((path) => readCheckpoint(path, io))
  const [origin] = values.get('origin') ?? []
  if (origin === '') throw new UsageError('--origin: a log has a name.')
  const [required] = values.get('require') ?? []
  if (required !== undefined && required !== 'signed' && required !== 'anchored') {
    throw new UsageError(`--require: ${quote(required)} is neither signed nor anchored.`)
  }
  return {
    keys,
    remembered: { heads, checkpoints },
    ...(origin === undefined ? {} : { origin }),
    ...(required === undefined ? {} : { require: required }),
  }
}

/** The keys that `--key` names: one, or the file that holds them. */
function readKeys(text: string, io: CliIo): TrustedKey[] {
  if (text.startsWith(PRIVATE))
    throw new UsageError('--key: this is a private key. Give the one that verifies.')
  if (KEY_TEXT.test(text)) return parseKeys('--key', text)
  const file = io.readEnd(text, MAX_KEY_FILE_BYTES)
  if (file === undefined) {
    throw new UsageError(`--key: ${quote(text)} is neither a key, name+id+base64, nor a file that is there.`)
  }
  const content = new TextDecoder().decode(file)
  if (content.startsWith(PRIVATE)) {
    throw new UsageError(
      `--key: ${quote(text)} holds a private key. Give the one that verifies, from ${quote(`${text}.pub`)}.`,
    )
  }
  return parseKeys(`--key: ${quote(text)}`, content)
}

function parseKeys(label: string, text: string): TrustedKey[] {
  try {
    return parseTrustedKeys(text)
  } catch (cause) {
    throw new UsageError(`${label}: ${(cause as Error).message}.`, { cause })
  }
}

function readHead(text: string): { size: number; hash: string } {
  const [, size, hash] = HEAD.exec(text) ?? []
  if (size === undefined || hash === undefined || !Number.isSafeInteger(Number(size))) {
    throw new UsageError(
      `--head: ${quote(text)} is not a number of records, a colon and 64 hexadecimal digits.`,
    )
  }
  return { size: Number(size), hash }
}

function readCheckpoint(path: string, io: CliIo): Uint8Array {
  const file = io.readEnd(path, MAX_NOTE_BYTES + 1)
  if (file === undefined) throw new UsageError(`--checkpoint: ${quote(path)} is not there.`)
  return file
}
