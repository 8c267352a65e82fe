#!/usr/bin/env node
import { type CliIo, type Output, OutputClosed } from './cli-io.js'
import { listNames, makeNewFile, readFileEnd, readFileLog, readStdinLog } from './read-log.js'
import { run } from './run.js'

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
  }
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
}

process.exitCode = await run(process.argv.slice(2), io)
