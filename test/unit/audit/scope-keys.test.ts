import { once } from 'node:events'
import * as fs from 'node:fs'
import {
  chmodSync,
  linkSync,
  mkdirSync,
  readdirSync,
  readFileSync,
  renameSync,
  rmSync,
  statSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs'
import { join } from 'node:path'
import { text } from 'node:stream/consumers'
import { describe, expect, test } from 'vitest'
import { ScopeKeys, ScopeKeyUnavailable, WritError } from 'writ'
import { FolderScopeKeys } from '../../../src/audit/scope/folder-scope-keys.js'
import { thrown } from '../../support/agents.js'
import { temporaryFolder } from '../../support/audit-logs.js'
import { bundle, start } from '../../support/child.js'

const keyFiles = (folder: string): string[] =>
  readdirSync(folder)
    .filter((name) => name !== 'folder.key')
    .map((name) => join(folder, name))

const unavailable = expect.objectContaining({ code: 'ERR_SCOPE_KEY_UNAVAILABLE' })

describe('ScopeKeys.folder', () => {
  test('keeps one key for each user, over restarts', () => {
    const folder = join(temporaryFolder(), 'keys')
    const keys = ScopeKeys.folder(folder)
    const alice = keys.keyFor('alice')
    expect(alice.key).toHaveLength(32)
    expect(keys.keyFor('alice')).toEqual(alice)
    expect(ScopeKeys.folder(folder).keyFor('alice')).toEqual(alice)
    expect(ScopeKeys.folder(folder).find('alice')).toEqual(alice)
    const bob = keys.keyFor('bob')
    expect(bob.id).not.toBe(alice.id)
    expect(bob.key).not.toEqual(alice.key)
    expect(keyFiles(folder)).toHaveLength(2)
  })

  test('makes everything for its owner alone, and names nobody', () => {
    const folder = join(temporaryFolder(), 'keys')
    const { id } = ScopeKeys.folder(folder).keyFor('alice')
    expect(statSync(folder).mode & 0o777).toBe(0o700)
    for (const name of readdirSync(folder)) {
      expect(statSync(join(folder, name)).mode & 0o777).toBe(0o600)
      expect(name).toMatch(/^(?:folder|[0-9a-f]{64})\.key$/)
      expect(readFileSync(join(folder, name), 'latin1')).not.toContain('alice')
      expect(name).not.toContain(id)
    }
    const other = join(temporaryFolder(), 'keys')
    ScopeKeys.folder(other).keyFor('alice')
    expect(keyFiles(other).map((path) => path.slice(-68))).not.toEqual(
      keyFiles(folder).map((path) => path.slice(-68)),
    )
  })

  test('looks up without making anything', () => {
    const folder = temporaryFolder()
    const keys = ScopeKeys.folder(folder)
    expect(keys.find('alice')).toBeUndefined()
    expect(keys.destroy('alice')).toBe(false)
    expect(readdirSync(folder)).toEqual([])
    keys.keyFor('bob')
    expect(keys.find('alice')).toBeUndefined()
    expect(keys.destroy('alice')).toBe(false)
    expect(keyFiles(folder)).toHaveLength(1)
  })

  test('destroys a key: overwritten first, then removed; the next one is another', () => {
    const folder = temporaryFolder()
    const keys = ScopeKeys.folder(folder)
    const before = keys.keyFor('alice')
    const [path = ''] = keyFiles(folder)
    const witness = join(temporaryFolder(), 'link')
    linkSync(path, witness)
    expect(keys.destroy('alice')).toBe(true)
    expect(keyFiles(folder)).toEqual([])
    expect(readFileSync(witness).every((byte) => byte === 0)).toBe(true)
    expect(keys.destroy('alice')).toBe(false)
    const after = keys.keyFor('alice')
    expect(after.id).not.toBe(before.id)
    expect(after.key).not.toEqual(before.key)
  })

  test('a destruction that was interrupted leaves no key, and can be finished', () => {
    const folder = temporaryFolder()
    const keys = ScopeKeys.folder(folder)
    keys.keyFor('alice')
    const failing = (name: 'unlinkSync' | 'fsyncSync') =>
      new FolderScopeKeys(folder, false, {
        ...fs,
        [name]: () => {
          throw Object.assign(new RangeError('x'), { code: 'EIO' })
        },
      })
    expect(() => failing('fsyncSync').destroy('alice')).toThrow(unavailable)
    expect(() => failing('unlinkSync').destroy('alice')).toThrow('the disk reports an error (EIO)')
    expect(() => keys.keyFor('alice')).toThrow('it is damaged, or was being destroyed')
    expect(keys.destroy('alice')).toBe(true)
    expect(keys.keyFor('alice').key).toHaveLength(32)
  })

  test.each([0o640, 0o604, 0o620, 0o610])('a key with mode %o is refused', (mode) => {
    const folder = temporaryFolder()
    ScopeKeys.folder(folder).keyFor('alice')
    for (const path of [...keyFiles(folder), join(folder, 'folder.key')]) {
      chmodSync(path, mode)
      expect(() => ScopeKeys.folder(folder).keyFor('alice')).toThrow('others may access it; chmod 600')
      expect(() => ScopeKeys.folder(folder).find('alice')).toThrow(ScopeKeyUnavailable)
      chmodSync(path, 0o600)
    }
    expect(ScopeKeys.folder(folder).find('alice')).toBeDefined()
  })

  test.each([0o750, 0o705, 0o770, 0o701])('a folder with mode %o is refused', (mode) => {
    const folder = join(temporaryFolder(), 'keys')
    mkdirSync(folder)
    chmodSync(folder, mode)
    expect(() => ScopeKeys.folder(folder)).toThrow('others may access it; chmod 700')
  })

  test.each<[string, string]>([
    ['nothing', ''],
    ['a part of a key', '{"v":1,"id":"00'],
    ['a key that is too short', `{"v":1,"id":"${'0'.repeat(32)}","key":"${'1'.repeat(62)}"}\n`],
    ['a key and more', `{"v":1,"id":"${'0'.repeat(32)}","key":"${'1'.repeat(64)}"}\n\n`],
    ['a megabyte', 'x'.repeat(1 << 20)],
  ])('a file that holds %s is refused, and its content not shown', (_label, content) => {
    const folder = temporaryFolder()
    const keys = ScopeKeys.folder(folder)
    keys.keyFor('alice')
    const [path = ''] = keyFiles(folder)
    writeFileSync(path, content)
    for (const act of [() => keys.keyFor('alice'), () => keys.find('alice')]) {
      expect(act).toThrow(unavailable)
      expect(act).not.toThrow(/1111|xxxx/)
    }
  })

  test('a file that is far too large is not read', () => {
    const folder = temporaryFolder()
    const keys = ScopeKeys.folder(folder)
    keys.keyFor('alice')
    const [path = ''] = keyFiles(folder)
    writeFileSync(path, 'x'.repeat(2000))
    const sizes: number[] = []
    const readFile = (fd: number): string => {
      sizes.push(fs.fstatSync(fd).size)
      return fs.readFileSync(fd, 'latin1')
    }
    const watched = new FolderScopeKeys(folder, false, { ...fs, readFileSync: readFile } as never)
    expect(() => watched.find('alice')).toThrow('it holds no key')
    expect(sizes).toHaveLength(1)
    expect(sizes[0]).toBeLessThan(1000)
  })

  test('a key whose name may not have reached the disk is not used', () => {
    const folder = temporaryFolder()
    ScopeKeys.folder(folder).keyFor('bob')
    const failing = new FolderScopeKeys(folder, false, {
      ...fs,
      fsyncSync: (fd: number) => {
        if (fs.fstatSync(fd).isDirectory()) throw Object.assign(new RangeError('x'), { code: 'EIO' })
        fs.fsyncSync(fd)
      },
    })
    expect(() => failing.keyFor('alice')).toThrow('the disk reports an error (EIO)')
    expect(() => failing.destroy('bob')).toThrow('the disk reports an error (EIO)')
  })

  test('a symbolic link, a folder and a missing key of the names are refused', () => {
    const folder = temporaryFolder()
    const keys = ScopeKeys.folder(folder)
    keys.keyFor('alice')
    const [path = ''] = keyFiles(folder)
    const moved = join(temporaryFolder(), 'moved')
    renameSync(path, moved)
    symlinkSync(moved, path)
    expect(() => keys.keyFor('alice')).toThrow('it is a symbolic link')
    expect(() => keys.destroy('alice')).toThrow(ScopeKeyUnavailable)
    expect(readFileSync(moved, 'latin1')).toContain('"key"')
    rmSync(path)
    mkdirSync(path, { mode: 0o700 })
    expect(() => keys.keyFor('alice')).toThrow('it is no regular file')
    rmSync(path, { recursive: true })
    renameSync(moved, path)
    rmSync(join(folder, 'folder.key'))
    for (const method of ['keyFor', 'find', 'destroy'] as const) {
      expect(() => ScopeKeys.folder(folder)[method]('alice')).toThrow(
        'it is missing beside keys that it names',
      )
    }
  })

  test('a folder that is none is refused when it is named', () => {
    const file = join(temporaryFolder(), 'file')
    writeFileSync(file, '')
    expect(() => ScopeKeys.folder(file)).toThrow('it is no folder')
    chmodSync(file, 0o600)
    expect(() => new FolderScopeKeys(file, false)).toThrow('it is no folder')
    expect(() => ScopeKeys.folder(join(file, 'keys'))).toThrow('a part of the path is no folder')
    for (const path of ['', 'a\0b', undefined])
      expect(() => ScopeKeys.folder(path as string)).toThrow(TypeError)
    expect(() => ScopeKeys.folder(temporaryFolder()).keyFor(undefined as never)).toThrow(TypeError)
    try {
      ScopeKeys.folder(file)
    } catch (error) {
      expect(WritError.isInstance(error)).toBe(true)
      expect(error).toMatchObject({ path: file })
    }
  })

  test('every file that it opens is closed again, whatever happens', () => {
    const folder = temporaryFolder()
    const keys = ScopeKeys.folder(folder)
    keys.keyFor('alice')
    const opened = new Set<number>()
    const watched = (more: object = {}) =>
      new FolderScopeKeys(folder, false, {
        ...fs,
        openSync: (...args: Parameters<typeof fs.openSync>) => {
          const fd = fs.openSync(...args)
          opened.add(fd)
          return fd
        },
        closeSync: (fd: number) => {
          expect(opened.delete(fd)).toBe(true)
          fs.closeSync(fd)
        },
        ...more,
      } as never)
    const broken = () => {
      throw Object.assign(new RangeError('x'), { code: 'EIO' })
    }
    watched().keyFor('alice')
    watched().keyFor('bob')
    expect(watched().destroy('bob')).toBe(true)
    for (const name of ['readFileSync', 'writeFileSync', 'fsyncSync']) {
      const failing = watched({ [name]: broken })
      for (const act of [() => failing.keyFor('carol'), () => failing.destroy('alice')]) {
        expect(act).toThrow('the disk reports an error (EIO)')
      }
    }
    expect([...opened]).toEqual([])
  })

  test('a file system that does not open folders keeps the name with the file', () => {
    const folder = temporaryFolder()
    const keys = new FolderScopeKeys(folder, false, {
      ...fs,
      openSync: (...args: Parameters<typeof fs.openSync>) => {
        if (args[0] === folder) throw Object.assign(new RangeError('x'), { code: 'EISDIR' })
        return fs.openSync(...args)
      },
    } as never)
    expect(keys.keyFor('alice')).toEqual(ScopeKeys.folder(folder).find('alice'))
    expect(keys.destroy('alice')).toBe(true)
  })

  test('a file is read up to 1024 bytes, and one that is no key is damaged', () => {
    const folder = temporaryFolder()
    ScopeKeys.folder(folder).keyFor('alice')
    const [path = ''] = keyFiles(folder)
    const content = readFileSync(path, 'latin1')
    for (const [size, reads] of [
      [1024, 2],
      [1025, 1],
    ] as const) {
      writeFileSync(path, content.padEnd(size, ' '))
      let read = 0
      const counted = new FolderScopeKeys(folder, false, {
        ...fs,
        readFileSync: (fd: number) => {
          read += 1
          return fs.readFileSync(fd, 'latin1')
        },
      } as never)
      expect(() => counted.find('alice')).toThrow('it holds no key: it is damaged, or was being destroyed')
      expect(read).toBe(reads)
    }
    expect(ScopeKeys.folder(folder).destroy('alice')).toBe(true)
  })

  test('a key is overwritten as far as it goes, and no further', () => {
    const folder = temporaryFolder()
    const keys = ScopeKeys.folder(folder)
    keys.keyFor('alice')
    const [path = ''] = keyFiles(folder)
    const { size } = statSync(path)
    const witness = join(temporaryFolder(), 'link')
    linkSync(path, witness)
    expect(keys.destroy('alice')).toBe(true)
    expect(statSync(witness).size).toBe(size)
    mkdirSync(path, { mode: 0o700 })
    expect(() => keys.destroy('alice')).toThrow(unavailable)
    expect(statSync(path).isDirectory()).toBe(true)
  })

  test('an error without a code, and one whose code nobody knows, are told as they are', () => {
    const folder = temporaryFolder()
    ScopeKeys.folder(folder).keyFor('alice')
    const failing = (cause: unknown) =>
      new FolderScopeKeys(folder, false, {
        ...fs,
        readFileSync: () => {
          throw cause
        },
      } as never)
    for (const [cause, said] of [
      [new RangeError('x'), 'it failed'],
      [null, 'it failed'],
      [Object.assign(new RangeError('x'), { code: 'EODD' }), 'EODD'],
      [Object.assign(new RangeError('x'), { code: 'toString' }), 'toString'],
    ] as const) {
      const error = thrown(() => failing(cause).find('alice'))
      expect(error).toMatchObject({ code: 'ERR_SCOPE_KEY_UNAVAILABLE', cause })
      expect((error as Error).message).toMatch(new RegExp(`${said}$`))
    }
  })

  test('what is no path, and what is no user, is said', () => {
    for (const path of ['', 'a\0b', 7]) {
      expect(() => ScopeKeys.folder(path as string)).toThrow('ScopeKeys.folder: expected a path')
    }
    const keys = ScopeKeys.folder(temporaryFolder())
    expect(() => keys.find(7 as never)).toThrow('user: expected a string')
  })

  test('a disk that is full leaves no half of a key', () => {
    const folder = temporaryFolder()
    ScopeKeys.folder(folder).keyFor('bob')
    const full = new FolderScopeKeys(folder, false, {
      ...fs,
      writeFileSync: (fd: number) => {
        fs.writeFileSync(fd, '{"v":1,')
        throw Object.assign(new RangeError('x'), { code: 'ENOSPC' })
      },
    } as never)
    expect(() => full.keyFor('alice')).toThrow('the disk is full (ENOSPC)')
    expect(keyFiles(folder)).toHaveLength(1)
  })

  test('somebody else who makes the key first is believed', () => {
    const folder = temporaryFolder()
    const other = ScopeKeys.folder(folder)
    other.keyFor('bob')
    const late = new FolderScopeKeys(folder, false, {
      ...fs,
      linkSync: (from: string, to: string) => {
        if (other.find('alice') === undefined) other.keyFor('alice')
        fs.linkSync(from, to)
      },
    } as never)
    expect(late.keyFor('alice')).toEqual(other.find('alice'))
    expect(keyFiles(folder)).toHaveLength(2)
  })

  test('a key that is gone as soon as it is made is given up', () => {
    const folder = temporaryFolder()
    ScopeKeys.folder(folder).keyFor('bob')
    const lost = new FolderScopeKeys(folder, false, { ...fs, linkSync: () => undefined } as never)
    expect(() => lost.keyFor('alice')).toThrow('a key is gone as soon as it is made')
  })

  test('processes that begin at once agree on every key', async () => {
    const folder = join(temporaryFolder(), 'keys')
    const program = await bundle('test/support/scope-child.ts', temporaryFolder())
    const users = Array.from({ length: 20 }, (_, index) => `user-${index}`)
    const children = Array.from({ length: 4 }, () => start(program, [folder, ...users]))
    await Promise.all(children.map((child) => once(child.stdout, 'readable')))
    for (const child of children) child.stdin.write('go\n')
    const outputs = await Promise.all(children.map((child) => text(child.stdout)))
    expect(new Set(outputs).size).toBe(1)
    const ids = outputs[0]?.trim().split('\n')[1]?.split(' ')
    expect(ids).toEqual(users.map((user) => ScopeKeys.folder(folder).find(user)?.id))
    expect(keyFiles(folder)).toHaveLength(20)
  }, 30_000)
})

test('ScopeKeys.memory keeps keys apart, and forgets them', () => {
  const keys = ScopeKeys.memory()
  const { id, key } = keys.keyFor('alice')
  expect(keys.find('alice')).toBe(keys.keyFor('alice'))
  expect(keys.keyFor('bob').key).not.toEqual(key)
  expect(keys.find('carol')).toBeUndefined()
  expect(keys.destroy('alice')).toBe(true)
  expect(key.every((byte) => byte === 0)).toBe(true)
  expect(keys.find('alice')).toBeUndefined()
  expect(keys.keyFor('alice').id).not.toBe(id)
  expect(ScopeKeys.memory().keyFor('bob').id).not.toBe(keys.keyFor('bob').id)
})
