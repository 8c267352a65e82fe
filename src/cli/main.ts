#!/usr/bin/env node
import { type CliIo, type Input, type Output, OutputClosed } from './cli-io.js'
import { listNames, makeNewFile, readFileEnd, readFileLog, readStdinLog } from './read-log.js'
import { run } from './run.js'

/** True when something is not to be written any more: Node does not let go of it otherwise. */
let isDropped = false

function output(stream: NodeJS.WriteStream): Output {
  // A stream that breaks says so in the callback of the write; unheard, its event would end the process.
  stream.on('error', () => undefined)
  return {
    isTty: stream.isTTY === true,
    columns: stream.columns ?? 80,
    write: (data) =>
      new Promise((resolve, reject) => {
        stream.write(data, (error) => (error ? reject(new OutputClosed(error)) : resolve()))
      }),
    drop: () => {
      isDropped = true
    },
  }
}

function openInput(): Input {
  const { stdin } = process
  // A stream that breaks has ended; unheard, its event would end the process.
  stdin.on('error', () => undefined)
  return { [Symbol.asyncIterator]: () => stdin[Symbol.asyncIterator](), close: () => void stdin.destroy() }
}

function onStop(stop: () => void): void {
  for (const signal of ['SIGTERM', 'SIGINT', 'SIGHUP'] as const) process.once(signal, stop)
}

const { env } = process
const io: CliIo = {
  stdout: output(process.stdout),
  stderr: output(process.stderr),
  mayColor: (env['NO_COLOR'] ?? '') === '' && env['TERM'] !== 'dumb',
  nowMs: () => Date.now(),
  monotonicMs: () => performance.now(),
  readLog: (path) => (path === '-' ? readStdinLog(process.stdin) : readFileLog(path)),
  readEnd: readFileEnd,
  listFolder: listNames,
  makeFile: makeNewFile,
  env,
  openInput,
  onStop,
}

process.exitCode = await run(process.argv.slice(2), io)
if (isDropped) process.exit()
