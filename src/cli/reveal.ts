import { readCommittedRecord } from '../audit/disclosure/committed-record.js'
import { FolderScopeKeys } from '../audit/scope/folder-scope-keys.js'
import type { ScopeKey } from '../audit/scope/scope-key.js'
import { isJsonPointer } from '../core/json-pointer.js'
import { encodeJson, quote } from '../core/json-text.js'
import { ScopeKeyUnavailable } from '../core/scope-key-unavailable.js'
import {
  disclose,
  EXIT_CODES,
  formatDisclosure,
  MAX_NOTE_BYTES,
  parseDisclosure,
  type Refusal,
  verifyDisclosure,
} from '../verify.js'
import { type Arguments, readArguments, readLogPath } from './arguments.js'
import { type CliIo, EXIT, LogUnreadable, UsageError } from './cli-io.js'
import { findRecord } from './find-record.js'
import { safeText } from './safe-text.js'

const REVEAL_HELP: string = `Usage: writ reveal <log> --seq N --pointer P --value JSON --keys FOLDER [--user NAME]
       writ reveal <log> --check FILE

Discloses one value that a tool call was made with and that its record commits to: a line of JSON that shows
this value and nothing else of the call. With --check, verifies such a line.
<log> is a log, a file that holds the record alone, or - for standard input.

Options:
  --seq N        the record: its seq
  --pointer P    where in the input the value was: one of the names in the record's commitments
  --value JSON   the value, which the log does not hold: it has to be known; or @FILE to read it from a file
  --keys FOLDER  the folder of the scope keys
  --user NAME    whose key it is; by default the record's invoking user
  --check FILE   the disclosure to verify against the record
  -h, --help     this text

Exit status:
  0   a disclosure was written, or the one that was checked opens its commitment
  2   the value, the key or the pointer does not open a commitment of that record
  6   not a record, or not a disclosure
  64  the command line is wrong
  66  the log, the record, the key or a file is not there or cannot be read
`

/** Something that the command needs is not there. */
class Missing extends Error {
  override readonly name = 'Missing'
}

/** `writ reveal`: makes and checks disclosures. */
export async function reveal(args: readonly string[], io: CliIo): Promise<number> {
  const given = readArguments(args, {
    seq: 'value',
    pointer: 'value',
    value: 'value',
    keys: 'value',
    user: 'value',
    check: 'value',
  })
  if (given.switches.has('help')) {
    await io.stdout.write(REVEAL_HELP)
    return EXIT.ok
  }
  const path = readLogPath(given)
  try {
    return given.values.has('check') ? await check(path, given, io) : await make(path, given, io)
  } catch (error) {
    if (!(error instanceof Missing)) throw error
    await io.stderr.write(`writ: ${safeText(error.message)}\n`)
    return EXIT.noInput
  }
}

async function make(path: string, given: Arguments, io: CliIo): Promise<number> {
  const seq = readSeq(required(given, 'seq'))
  const pointer = required(given, 'pointer')
  if (!isJsonPointer(pointer)) throw new UsageError(`--pointer is no JSON pointer, such as /items/0/sku.`)
  const keys = required(given, 'keys')
  const value = await readValue(required(given, 'value'), io)

  const line = await recordOf(path, seq, io)
  const record = readCommittedRecord(line)
  if (!record.ok) return refused(record.refusal, io)
  const user = given.values.get('user')?.[0] ?? record.value.user
  if (user === undefined) throw new UsageError('the record names no user: say whose key it is with --user.')
  const disclosure = disclose(line, pointer, value, findKey(keys, user))
  if (!disclosure.ok) return refused(disclosure.refusal, io)
  await io.stdout.write(`${formatDisclosure(disclosure.value)}\n`)
  return EXIT.ok
}

async function check(path: string, given: Arguments, io: CliIo): Promise<number> {
  const extra = ['seq', 'pointer', 'value', 'keys', 'user'].find((name) => given.values.has(name))
  if (extra !== undefined) throw new UsageError(`--check and --${extra} do not go together.`)
  const file = required(given, 'check')
  if (file === '-' && path === '-') throw new UsageError('standard input cannot be both.')
  const disclosure = parseDisclosure(await readFile(file, io))
  if (!disclosure.ok) return refused(disclosure.refusal, io)
  const line = await recordOf(path, disclosure.value.seq, io)
  const disclosed = verifyDisclosure(line, disclosure.value)
  if (!disclosed.ok) return refused(disclosed.refusal, io)
  const { logId, seq, callId, tool, pointer, value } = disclosed.value
  await io.stdout.write(
    [
      `OPENED: record ${seq} commits to this value`,
      '',
      `  log id   ${safeText(logId)}`,
      `  call     ${safeText(callId)} of ${safeText(tool)}`,
      `  pointer  ${pointer === '' ? 'the whole input' : safeText(pointer)}`,
      `  value    ${encodeJson(value)}`,
      '',
      'This says nothing of the log that the record is from: check that with writ verify, or with a proof.',
      '',
    ].join('\n'),
  )
  return EXIT.ok
}

async function refused({ reason, detail }: Refusal, io: CliIo): Promise<number> {
  await io.stderr.write(`writ: ${safeText(detail)}\n`)
  return reason === 'malformed' ? EXIT_CODES.MALFORMED : EXIT_CODES.TAMPERED
}

function required({ values }: Arguments, name: string): string {
  const [value] = values.get(name) ?? []
  if (value === undefined) throw new UsageError(`--${name} is missing.`)
  return value
}

function readSeq(text: string): number {
  const seq = /^\d{1,16}$/.test(text) ? Number(text) : Number.NaN
  if (!Number.isSafeInteger(seq)) throw new UsageError(`--seq is a number from 0 on, not ${quote(text)}.`)
  return seq
}

async function recordOf(path: string, seq: number, io: CliIo): Promise<Uint8Array> {
  const line = await findRecord(io, path, seq)
  if (line === undefined) throw new Missing(`there is no record ${seq} in ${path}`)
  return line
}

async function readValue(text: string, io: CliIo): Promise<never> {
  const json = text.startsWith('@') ? new TextDecoder().decode(await readFile(text.slice(1), io)) : text
  try {
    return JSON.parse(json) as never
  } catch {
    // The parser's own message quotes what it could not parse.
    throw new UsageError(`--value is no JSON; a string stands in double quotes of its own.`)
  }
}

async function readFile(path: string, io: CliIo): Promise<Uint8Array> {
  const pieces: Uint8Array[] = []
  let bytes = 0
  try {
    for await (const chunk of io.readLog(path)) {
      bytes += chunk.length
      if (bytes > MAX_NOTE_BYTES) throw new Missing(`${path} is longer than ${MAX_NOTE_BYTES} bytes`)
      pieces.push(chunk.slice())
    }
  } catch (cause) {
    if (!(cause instanceof LogUnreadable)) throw cause
    throw new Missing(`cannot read ${cause.message}`, { cause })
  }
  const whole = new Uint8Array(bytes)
  let at = 0
  for (const piece of pieces) {
    whole.set(piece, at)
    at += piece.length
  }
  return whole
}

function findKey(folder: string, user: string): ScopeKey {
  let key: ScopeKey | undefined
  try {
    key = new FolderScopeKeys(folder, false).find(user)
  } catch (cause) {
    if (!(cause instanceof ScopeKeyUnavailable)) throw cause
    throw new Missing(cause.message, { cause })
  }
  if (key === undefined) throw new Missing(`${folder} holds no key of this user: it may have been destroyed`)
  return key
}
