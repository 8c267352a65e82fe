import { LineSplitter } from '../audit/line-splitter.js'
import { MAX_LINE_BYTES } from '../audit/record.js'
import type { CliIo } from './cli-io.js'
import { openLog } from './log-files.js'

/**
 * The first line that says it is record `seq`, in a log with its finished segments or in a file that holds
 * single records.
 *
 * @returns its bytes without the LF, or `undefined` where there is none.
 * @throws {@link LogUnreadable} when the log cannot be read.
 */
export async function findRecord(io: CliIo, path: string, seq: number): Promise<Uint8Array | undefined> {
  const head = new TextEncoder().encode(`{"v":1,"seq":${seq},`)
  const lines = new LineSplitter(MAX_LINE_BYTES)
  for await (const chunk of openLog(io, path).bytes) {
    for (const { bytes, broken } of lines.push(chunk)) {
      if (broken === undefined && beginsWith(bytes, head)) return bytes.slice()
    }
  }
  const last = lines.finish()
  return last?.broken === 'cut' && beginsWith(last.bytes, head) ? last.bytes.slice() : undefined
}

function beginsWith(bytes: Uint8Array, head: Uint8Array): boolean {
  return head.every((byte, index) => bytes[index] === byte)
}
