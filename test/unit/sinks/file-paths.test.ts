import { chmodSync, mkdirSync, readFileSync, symlinkSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { describe, expect, test } from 'vitest'
import { AuditSink } from 'writ'
import { fileSink } from '../../../src/sinks/file.js'
import { thrown } from '../../support/agents.js'
import { agentOn, temporaryFolder } from '../../support/audit-logs.js'
import { command } from '../../support/commands.js'
import { Disk } from '../../support/disk.js'

/** What an agent says whose log is at this path. */
const complaintOf = (path: string): unknown => thrown(() => agentOn(AuditSink.file(path)))

describe('a path that cannot be a log is refused when the agent is made, with a code and what to do', () => {
  test.each<[name: string, path: (folder: string) => string, said: string]>([
    ['a directory', (folder) => folder, 'it is a directory; name a file in it'],
    ['a file in a folder that is missing', (folder) => join(folder, 'a', 'b.jsonl'), 'create it first'],
    ['a file in a file', (folder) => join(make(folder, 'file', ''), 'b.jsonl'), 'is no folder'],
    ['a symbolic link', (folder) => link(folder, make(folder, 'target', '')), 'name the file itself'],
    ['a symbolic link to nothing', (folder) => link(folder, join(folder, 'missing')), 'name the file itself'],
    ['a named pipe', fifo, 'not a regular file'],
    ['/dev/null', () => '/dev/null', 'not a regular file'],
    ['/dev/full', () => '/dev/full', 'not a regular file'],
    ['a name that is too long', (folder) => join(folder, 'x'.repeat(300)), 'ENAMETOOLONG'],
  ])('%s', (_, pathIn, said) => {
    const path = pathIn(temporaryFolder())
    expect(complaintOf(path)).toMatchObject({
      name: 'AuditUnavailable',
      code: 'ERR_AUDIT_UNAVAILABLE',
      path,
      message: expect.stringContaining(said),
    })
    expect((complaintOf(path) as Error).message).toContain(path)
  })

  test.each([
    ['a file', 'audit.jsonl', 0o444],
    ['a folder', '.', 0o555],
  ])('%s that this user may not write to', (_, name, mode) => {
    const folder = temporaryFolder()
    const path = join(folder, 'audit.jsonl')
    if (name === 'audit.jsonl') writeFileSync(path, '')
    chmodSync(folder, 0o755)
    chmodSync(join(folder, name), mode)
    expect(asNobody(() => complaintOf(path))).toMatchObject({
      code: 'ERR_AUDIT_UNAVAILABLE',
      path,
      message: expect.stringContaining('may not write to it'),
    })
  })

  test.each([
    ['EROFS', 'read-only'],
    ['EACCES', 'may not write'],
    ['EMFILE', 'EMFILE'],
  ])('an open that fails with %s', (code, said) => {
    const disk = new Disk()
    disk.breakNext(code, ['openSync'])
    const path = join(temporaryFolder(), 'audit.jsonl')
    expect(thrown(() => agentOn(fileSink(path, {}, disk.io)))).toMatchObject({
      code: 'ERR_AUDIT_UNAVAILABLE',
      message: expect.stringContaining(said),
      cause: { code },
    })
  })
})

test('a link to a folder above the file is none of its business', async () => {
  const folder = temporaryFolder()
  mkdirSync(join(folder, 'real'))
  symlinkSync(join(folder, 'real'), join(folder, 'linked'))
  await agentOn(AuditSink.file(join(folder, 'linked', 'audit.jsonl'))).close()
  expect(readFileSync(join(folder, 'real', 'audit.jsonl'), 'utf8')).toContain('log_open')
})

test('a file that is no log is refused and left alone', () => {
  const folder = temporaryFolder()
  for (const content of ['hello\n', '{"a":1}\n', '\ufeff', `${'\u0000'.repeat(9)}\n`, '[]']) {
    const path = make(folder, 'other.txt', content)
    expect(complaintOf(path)).toMatchObject({
      code: 'ERR_AUDIT_DAMAGED',
      verdict: 'MALFORMED',
      seq: 0,
      offset: 0,
    })
    expect(readFileSync(path, 'utf8')).toBe(content)
  }
})

function make(folder: string, name: string, content: string): string {
  const path = join(folder, name)
  writeFileSync(path, content)
  return path
}

function link(folder: string, target: string): string {
  const path = join(folder, 'link.jsonl')
  try {
    symlinkSync(target, path)
  } catch {
    // The same test has made it already.
  }
  return path
}

function fifo(folder: string): string {
  const path = join(folder, 'pipe')
  command('mkfifo', [path])
  return path
}

/** Root may write everywhere, so it steps down for as long as this takes. */
function asNobody<T>(action: () => T): T {
  if (process.getuid?.() !== 0) return action()
  process.seteuid?.(65_534)
  try {
    return action()
  } finally {
    process.seteuid?.(0)
  }
}
