import { basename } from 'node:path'
import { parseJsonLine } from '../audit/json-line.js'
import { LineSplitter } from '../audit/line-splitter.js'
import { MAX_LINE_BYTES } from '../audit/record.js'
import { readPrevious } from '../audit/segment.js'
import { isPlainObject } from '../core/guards.js'
import { quote } from '../core/json-text.js'
import {
  type Checkpoint,
  CompactTree,
  formatTlogProof,
  type LinesAhead,
  LogVerifier,
  leafHash,
  ProofBuilder,
  parseCheckpoint,
  parseNote,
  parseSegmentName,
  splitHistory,
} from '../verify.js'
import { readArguments, readLogPath } from './arguments.js'
import { type CliIo, EXIT, NotProven, UsageError } from './cli-io.js'
import { openLog } from './log-files.js'
import { pushAll } from './push-all.js'
import { safeText, shellWord } from './safe-text.js'

const PROVE_HELP: string = `Usage: writ prove <log> --seq N [--out FILE]

Writes the proof that record N is in the log, for somebody who has neither the log nor a connection: a C2SP
tlog-proof against the newest checkpoint beside the log that covers the record. <log> is the file that is
written to; its finished segments are read with it, and those that were removed are not needed.

Options:
  --seq N     the record, counted from 0
  --out FILE  where to: the proof into FILE, the line of the record into FILE.record. Neither is overwritten.
              Without it the proof goes to standard output
  -h, --help  this text

Exit status:
  0   the proof was written
  64  the command line is wrong
  65  there is no proof: no checkpoint covers the record, it is gone, or the log does not hold
  66  the log cannot be read
  70  an error in this program
  73  a file cannot be made
  74  the output cannot be written
`

const LF = 0x0a
const SEQ = /^(?:0|[1-9]\d{0,15})$/

/** `writ prove`: a proof of one record that is checked without the log. */
export async function prove(args: readonly string[], io: CliIo): Promise<number> {
  const given = readArguments(args, { seq: 'value', out: 'value' })
  if (given.switches.has('help')) {
    await io.stdout.write(PROVE_HELP)
    return EXIT.ok
  }
  const path = readLogPath(given)
  if (path === '-') throw new UsageError('a proof is made from a file, with the checkpoints beside it.')
  const [text] = given.values.get('seq') ?? []
  if (text === undefined) throw new UsageError('which record? Name it with --seq.')
  const seq = Number(text)
  if (!SEQ.test(text) || !Number.isSafeInteger(seq))
    throw new UsageError(`--seq: ${quote(text)} is no number of a record.`)
  const segment = parseSegmentName(basename(path))
  const log = openLog(io, path)
  if (segment !== undefined && log.checkpoints.length === 0) {
    throw new NotProven(
      `this looks like a finished segment of ${segment.file}, whose checkpoints are beside that name: prove it of ${segment.file}`,
    )
  }
  const { note, checkpoint } = newestOver(seq, log.checkpoints)
  const proving = new Proving(seq, checkpoint)
  await pushAll(log.bytes, proving, io)
  const { hashes, line } = proving.finish()
  const proof = formatTlogProof({ index: seq, hashes, checkpoint: note })
  const [out] = given.values.get('out') ?? []
  if (out === undefined) {
    await io.stdout.write(proof)
    return EXIT.ok
  }
  io.makeFile(out, proof)
  io.makeFile(`${out}.record`, line)
  const file = safeText(out)
  await io.stdout.write(`${file} proves record ${seq}, which is in ${file}.record, as one of the ${checkpoint.size} records that were signed.
It is checked without the log, with the key that the log's owner gives out:
  writ verify ${shellWord(`${out}.record`)} --proof ${shellWord(out)} --key KEY
`)
  return EXIT.ok
}

/** The largest checkpoint that covers a record. Whether its signature holds is for whoever checks the proof. */
function newestOver(seq: number, files: readonly Uint8Array[]): { note: string; checkpoint: Checkpoint } {
  let newest: { note: string; checkpoint: Checkpoint } | undefined
  for (const note of files.flatMap((file) => splitHistory(file).notes)) {
    const parsed = parseNote(note)
    const checkpoint = parsed.ok ? parseCheckpoint(parsed.value.text) : parsed
    if (!checkpoint.ok || checkpoint.value.size <= seq) continue
    if (newest === undefined || checkpoint.value.size > newest.checkpoint.size) {
      newest = { note, checkpoint: checkpoint.value }
    }
  }
  if (newest !== undefined) return newest
  if (files.length === 0)
    throw new NotProven('there is no checkpoint beside this log; a log without a key has none')
  throw new NotProven(`no checkpoint beside this log covers record ${seq} yet`)
}

/** Checks the log and gathers the hashes of the proof in one pass. */
class Proving {
  readonly #seq: number
  readonly #size: number
  readonly #verifier: LogVerifier
  readonly #lines = new LineSplitter(MAX_LINE_BYTES)
  /** Begun at the first record that is there; without one where it cannot be. */
  #builder: ProofBuilder | undefined
  #index: number | undefined
  #line: Uint8Array | undefined

  constructor(seq: number, { size, root }: Checkpoint) {
    this.#seq = seq
    this.#size = size
    this.#verifier = new LogVerifier({ expected: [{ assurance: 'signed', size, root }] })
  }

  push(chunk: Uint8Array, ahead?: LinesAhead): void {
    this.#verifier.push(chunk, ahead)
    this.#lines.scan(chunk, (bytes, start, end) => {
      const line = bytes.subarray(start, end)
      const index = this.#index ?? this.#begin(line)
      if (index < this.#size) this.#builder?.push(leafHash(line))
      if (index === this.#seq) this.#line = line.slice()
      this.#index = index + 1
    })
  }

  /** Where the oldest segments are gone, the first record that is left holds the tree over them. */
  #begin(line: Uint8Array): number {
    const record = parseJsonLine(line)
    const previous = readPrevious(record)
    // A record says its own number; that it is the right one is for the verifier to find.
    const first =
      previous !== undefined && isPlainObject(record) && record['seq'] === previous.size ? previous.size : 0
    const gone = first > 0 ? previous?.tree : new CompactTree()
    if (gone !== undefined && first <= this.#seq) {
      this.#builder = ProofBuilder.inclusion(this.#seq, this.#size, gone)
    }
    return first
  }

  /** @throws {@link NotProven} when the log is not what was signed. */
  finish(): { hashes: readonly Uint8Array[]; line: Uint8Array } {
    const { first, size, checkpoints, verdict } = this.#verifier.finish()
    if (first > this.#seq) {
      throw new NotProven(`record ${this.#seq} is gone: the log that is left begins at record ${first}`)
    }
    const builder = this.#builder
    if (builder === undefined && first > 0) {
      throw new NotProven(
        `the records before record ${first} are gone, and record ${first} does not hold the Merkle tree over them; without it no proof can be made from what is left`,
      )
    }
    if (checkpoints[0]?.outcome !== 'holds' || builder === undefined || this.#line === undefined) {
      throw new NotProven(
        `the log is ${verdict === 'UNANCHORED' ? 'not what was signed' : verdict}, with ${size} records that hold: see writ verify`,
      )
    }
    return { hashes: builder.finish(), line: withLf(this.#line) }
  }
}

function withLf(line: Uint8Array): Uint8Array {
  const whole = new Uint8Array(line.length + 1)
  whole.set(line)
  whole[line.length] = LF
  return whole
}
