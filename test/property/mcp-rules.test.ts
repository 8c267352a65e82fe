import { existsSync, realpathSync } from 'node:fs'
import { dirname, join, resolve, sep } from 'node:path'
import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { compileGlob } from '../../src/adapters/mcp/contract-file/glob.js'
import { pathHost, pathUnder } from '../../src/adapters/mcp/contract-file/path-root.js'
import { refusedPath } from '../../src/adapters/mcp/contract-file/path-text.js'
import { notesFolder } from '../mcp/contract-bench.js'

const SEGMENTS = [
  '..',
  '.',
  '',
  'sub',
  'link-in',
  'link-out',
  'folder-out',
  'link-to-nothing',
  'circle',
  'a.txt',
  'new',
  ' .. ',
  '%2e%2e',
  '..%2f',
  '%252e',
  '\uff0e\uff0e',
  '\u2025',
  '\\..\\',
  '..\\',
  'a\0',
  '~',
  'notes',
  'secret.txt',
  '"',
  ' ',
]

/** How programs read a path before they open it. */
const READERS: readonly ((path: string) => string)[] = [
  (path) => path,
  (path) => path.trim(),
  (path) => path.trim().replace(/^["']|["']$/g, ''),
  (path) => path.normalize('NFKC'),
  (path) => path.normalize('NFC'),
  (path) => path.replaceAll('\\', '/'),
  (path) => path.replaceAll('%2e', '.').replaceAll('%2f', '/').replaceAll('%25', '%'),
  (path) => path.split('\0')[0] as string,
]

/** Where a program ends up that opens or makes a file of this path. */
function destination(path: string): string {
  let here = resolve(path)
  let rest = ''
  while (!existsSync(here) && here !== dirname(here)) {
    rest = join(sep, here.slice(dirname(here).length), rest)
    here = dirname(here)
  }
  return join(realpathSync(here), rest)
}

describe('under', () => {
  test('no path outside of the root ever passes, however a program reads it', () => {
    const { notes } = notesFolder()
    const check = pathUnder(pathHost(), '/', [notes])
    let passed = 0
    fc.assert(
      fc.property(
        fc.array(fc.oneof(fc.constantFrom(...SEGMENTS), fc.string({ unit: 'binary', maxLength: 4 })), {
          maxLength: 5,
        }),
        fc.constantFrom('/', '/', '/', '', '//', '\\'),
        (segments, joint) => {
          const path = notes + joint + segments.join('/')
          if (check(path) !== undefined) return
          passed++
          for (const read of READERS) {
            const found = destination(read(path))
            expect(found === notes || found.startsWith(notes + sep), JSON.stringify(path)).toBe(true)
          }
        },
      ),
      { numRuns: 3000 },
    )
    expect(passed).toBeGreaterThan(100)
  })

  test('what passes under a folder passes under the folder above it', () => {
    const { folder, notes } = notesFolder()
    const inner = pathUnder(pathHost(), '/', [notes])
    const outer = pathUnder(pathHost(), '/', [folder])
    fc.assert(
      fc.property(fc.array(fc.constantFrom(...SEGMENTS), { maxLength: 5 }), (segments) => {
        const path = join(notes, 'sub') + sep + segments.join('/')
        if (inner(path) === undefined) expect(outer(path)).toBeUndefined()
      }),
    )
  })
})

describe('on Windows', () => {
  test.each(['C:\\notes\\a.txt', 'c:/notes/a.txt', 'C:\\', 'C:\\a b\\c.d', 'C:\\com', 'C:\\console.txt'])(
    '%s is an absolute path',
    (path) => {
      expect(refusedPath(path, true)).toBeUndefined()
    },
  )

  test.each([
    'C:a.txt',
    '\\a.txt',
    '/a.txt',
    'a.txt',
    '\\\\server\\share\\a',
    '//server/share',
    '\\\\?\\C:\\a',
    '\\\\.\\COM1',
    '\\/server/share',
    'C:\\a\\..\\b',
    'C:/a/../b',
    'C:\\a\\.. \\b',
    'C:\\a.txt:stream',
    'C:\\a::$DATA',
    'C:\\NUL',
    'C:\\nul.txt',
    'C:\\a\\com1.log',
    'C:\\lpt9',
    'C:\\a.',
    'C:\\a.\\b',
    'C:\\a \\b',
    'C:\\conin$',
    'C:\\a*',
    'C:\\a?',
    'C:\\a\uff3cb',
    'C:\\COM\u00b9',
  ])('%s is refused', (path) => {
    expect(refusedPath(path, true)).toBeDefined()
  })
})

/** A glob that stands for this text alone. */
const escaped = (text: string): string => [...text].map((one) => `\\${one}`).join('')

/** Whether a glob matches, as its documentation says it, slowly. */
function slowly(glob: readonly string[], text: readonly string[]): boolean {
  const [first, ...rest] = glob
  if (first === undefined) return text.length === 0
  const [head, ...tail] = text
  // biome-ignore lint/suspicious/noControlCharactersInRegex: control characters are what no wildcard matches
  const anything = head !== undefined && /[^\u0000-\u001f\u007f-\u009f\u2028\u2029\\]/u.test(head)
  const part = anything && /[^\s/:?#@%]/u.test(head)
  if (first === '?') return part && slowly(rest, tail)
  if (first === '*' || first === '**') {
    return slowly(rest, text) || ((first === '*' ? part : anything) && slowly(glob, tail))
  }
  return head === first && slowly(rest, tail)
}

const tokens = fc.array(fc.constantFrom('*', '**', '?', 'a', 'b', '/', ':', '@'), { maxLength: 6 })
const shortText = fc.string({
  unit: fc.constantFrom('a', 'b', '/', ':', '@', ' ', '😀', '\n', '%'),
  maxLength: 8,
})

describe('a glob', () => {
  test('does what it is documented to do', () => {
    fc.assert(
      fc.property(
        tokens.filter((glob) => !/\*{3}/.test(glob.join(''))),
        shortText,
        (glob, text) => {
          // Two stars beside each other are written as one token of two.
          const read = glob.join('').match(/\*\*|./gsu) ?? []
          expect(compileGlob(glob.join(''))(text)).toBe(slowly(read, [...text]))
        },
      ),
      { numRuns: 2000 },
    )
  })

  test('of escaped characters matches one text', () => {
    fc.assert(
      fc.property(
        fc.string({ unit: 'binary', maxLength: 8 }),
        fc.string({ unit: 'binary', maxLength: 8 }),
        (one, other) => {
          fc.pre(
            one.isWellFormed() && other.isWellFormed() && !/(?:^|[/\\?#;])\.{1,2}(?:$|[/\\?#;])/.test(one),
          )
          const matches = compileGlob(escaped(one))
          expect(matches(one)).toBe(true)
          expect(matches(other)).toBe(one === other)
        },
      ),
    )
  })

  test('with ** matches whatever it matches with *', () => {
    fc.assert(
      fc.property(shortText, fc.constantFrom('a*b', '*', '*/a', 'b?*'), (text, glob) => {
        if (compileGlob(glob)(text)) expect(compileGlob(glob.replace('*', '**'))(text)).toBe(true)
      }),
    )
  })

  test('matches nothing that leads upwards', () => {
    const up = fc.constantFrom('..', '%2e%2e', '.%2E', '%252e.', '..;x', '.', '..?q', '%25252e%252e')
    fc.assert(
      fc.property(shortText, up, shortText, (before, dots, after) => {
        expect(compileGlob('**')(`${before}/${dots}/${after}`)).toBe(false)
        expect(compileGlob('**')(`${before}%2f${dots}`)).toBe(false)
      }),
    )
  })

  test('takes a time that grows with the text alone', () => {
    const matches = compileGlob('**a**a**a**a**a**a**a**a**a**b')
    expect(matches('a'.repeat(16_384))).toBe(false)
  })
})
