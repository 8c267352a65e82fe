import { describe, expect, test } from 'vitest'
import { ContractInvalid } from 'writ/mcp'
import { broken, governed, notesFolder, temporaryFolder } from './contract-bench.js'

/** What each value of the argument `x` comes to under one rule. */
async function under(
  rule: unknown,
  values: readonly unknown[],
  folder = temporaryFolder(),
): Promise<string[]> {
  const verdicts: string[] = []
  await governed({ tools: { t: { x: rule } } }, folder, async (call) => {
    for (const x of values) verdicts.push(broken(await call('t', { x })))
  })
  return verdicts
}

describe('a rule', () => {
  test.each<[rule: unknown, passes: readonly unknown[], refused: readonly unknown[]]>([
    [true, [1, 'a', null, [], {}], []],
    [false, [], [1, 'a', null, [], {}]],
    [
      { equals: { a: [1, 'x'], b: null } },
      [{ b: null, a: [1, 'x'] }],
      [{ a: [1, 'x'] }, { a: ['x', 1], b: null }, null],
    ],
    [{ equals: null }, [null], [0, '', false]],
    [{ equals: 1 }, [1, 1.0], ['1', true, [1]]],
    [{ oneOf: ['a', 2, false] }, ['a', 2, false], ['A', '2', 0, null, ['a']]],
    [{ range: [1, 5] }, [1, 2.5, 5], [0.999, 5.001, '3', null, true, [3]]],
    [{ range: [null, 5] }, [-1e308, 5], [5.1, '1']],
    [{ range: [0, null] }, [0, 1e308], [-0.1]],
    [{ pattern: '[a-z]+' }, ['abc'], ['', 'abc1', '1abc', 'ab\nc', 5, null, ['abc'], 'a'.repeat(16_385)]],
    [{ pattern: '(?i)yes|no' }, ['YES', 'no'], ['yes no', 'yesno']],
    [{ maxLength: 3 }, ['abc', '', [1, 2, 3]], ['abcd', [1, 2, 3, 4], 3, null, { length: 1 }]],
    [{ each: { oneOf: ['a', 'b'] } }, [[], ['a', 'b', 'a']], [['a', 'c'], 'a', { 0: 'a' }, null]],
    [{ each: { oneOf: ['a'] }, maxLength: 1 }, [['a']], [['a', 'a']]],
    [{ members: { a: true } }, [{}, { a: 1 }], [{ b: 1 }, { a: 1, b: 1 }, [], 'a', null]],
    [
      { members: { a: { equals: 1 }, '*': { range: [0, 1] } } },
      [{ a: 1 }, { a: 1, b: 0 }],
      [{}, { a: 2 }, { a: 1, b: 2 }],
    ],
    [{ glob: ['*.txt', '**/*.md'] }, ['a.txt', 'a/b/c.md', '/x.md'], ['a/b.txt', 'x.md', 'a.txt/', 5]],
    [{ glob: 'a?c' }, ['abc', 'a😀c'], ['ac', 'abbc', 'a/c', 'a\nc']],
    [
      { glob: 'https://*.example.com/**' },
      ['https://a.example.com/', 'https://a.b.example.com/x?y#z'],
      [
        'http://a.example.com/',
        'https://evil.com/.example.com/',
        'https://evil.com#.example.com/',
        'https://evil.com?.example.com/',
        'https://evil.com\\.example.com/',
        'https://me@evil.com:1.example.com/',
        'https://evil.com%2f.example.com/',
        'https://a.example.com/../x',
        'https://a.example.com/%2e%2e/x',
        'https://a.example.com/%252E%252e/x',
        'https://a.example.com/..;/x',
        'https://a.example.com/x\n',
      ],
    ],
    [{ glob: 'a\\*b' }, ['a*b'], ['axb', 'ab']],
    [{ glob: 'a.c' }, ['a.c'], ['abc']],
  ])('%j', async (rule, passes, refused) => {
    expect(await under(rule, passes)).toEqual(passes.map(() => 'ran'))
    for (const verdict of await under(rule, refused)) expect(verdict).toMatch(/^\/x/)
  })

  test('names what it refuses and what it is called, and no value', async () => {
    await governed(
      { tools: { t: { x: { range: [1, 5] }, y: { each: { glob: '*.txt' } } } } },
      '/',
      async (call) => {
        const denial = await call('t', { x: 99, y: ['a.txt', 'hunter2'], z: 1 })
        expect(broken(denial)).toBe('/x range, /y/1 glob, /z not_allowed')
        expect(JSON.stringify(denial)).not.toMatch(/99|hunter2/)
        expect(denial).toMatchObject({ reason: 'invalid_input' })
      },
    )
  })

  test('that breaks is on record with its name', async () => {
    const { lines } = await governed({ tools: { t: { x: { equals: 1 } } } }, '/', async (call) => {
      await call('t', { x: 'hunter2' })
    })
    const denied = lines.find((line) => line.includes('tool_denied'))
    expect(denied).toContain('equals')
    expect(denied).not.toContain('hunter2')
  })
})

describe('an argument', () => {
  test('that no rule names is refused, unless * lets it in', async () => {
    const tools = { a: { x: true }, b: { x: true, '*': true }, c: { '*': { equals: 1 } }, d: {}, e: true }
    await governed({ tools }, '/', async (call) => {
      expect(broken(await call('a', { x: 1, y: 1 }))).toBe('/y not_allowed')
      expect(broken(await call('b', { x: 1, y: 1 }))).toBe('ran')
      expect(broken(await call('c', { y: 2, z: 1 }))).toBe('/y equals')
      expect(broken(await call('d', {}))).toBe('ran')
      expect(broken(await call('d', { y: 1 }))).toBe('/y not_allowed')
      expect(broken(await call('e', { y: 1 }))).toBe('ran')
      expect(broken(await call('a', { toString: 1 }))).toBe('/toString not_allowed')
    })
  })

  test('with a rule has to be there, unless it is optional', async () => {
    const tools = { a: { x: { equals: 1 }, y: { equals: 2, optional: true }, z: true } }
    await governed({ tools }, '/', async (call) => {
      expect(broken(await call('a', {}))).toBe('/x required')
      expect(broken(await call('a', { x: 1 }))).toBe('ran')
      expect(broken(await call('a', { x: 1, y: 3 }))).toBe('/y equals')
      expect(broken(await call('a', { x: undefined }))).toBe('/x required')
    })
  })

  test('whose name begins with $ is written with two', async () => {
    await governed({ tools: { a: { $$ref: { equals: 1 } } } }, '/', async (call) => {
      expect(broken(await call('a', { $ref: 1 }))).toBe('ran')
      expect(broken(await call('a', { $$ref: 1 }))).toContain('/$$ref not_allowed')
    })
  })

  test.each([[[]], ['text'], [null], [5]])('list that is no object is refused: %j', async (input) => {
    await governed({ tools: { a: true, b: { x: true } } }, '/', async (call) => {
      expect(await call('a', input)).not.toBe('ran')
      expect(await call('b', input)).not.toBe('ran')
    })
  })

  test('is shown in the log where $show says so, and only there', async () => {
    const { lines } = await governed(
      { tools: { a: { x: true, y: true, $show: ['x'] }, b: { x: true, $show: true }, c: { x: true } } },
      '/',
      async (call) => {
        await call('a', { x: 'shown-1', y: 'hidden-1' })
        await call('b', { x: 'shown-2' })
        await call('c', { x: 'hidden-2' })
      },
    )
    const log = lines.join('\n')
    expect(log).toContain('shown-1')
    expect(log).toContain('shown-2')
    expect(log).not.toContain('hidden')
  })
})

describe('a path under a root', () => {
  test('passes: the root, what is in it, links that stay in it, and what is not there yet', async () => {
    const { folder, notes } = notesFolder()
    const inside = [
      '',
      '/a.txt',
      '/sub',
      '/link-in',
      '/link-in/new.txt',
      '/new.txt',
      '/new/deep/x',
      '/./a.txt',
      '//a.txt',
      '/..a',
      '/a..b',
    ]
    const values = inside.map((rest) => notes + rest)
    expect(await under({ under: './notes' }, values, folder)).toEqual(values.map(() => 'ran'))
    expect(await under({ under: notes }, values, folder)).toEqual(values.map(() => 'ran'))
  })

  test('is refused: beside it, above it, through links, not absolute, or written in another way', async () => {
    const { folder, notes } = notesFolder()
    const refused = [
      folder,
      '/',
      '/etc/passwd',
      `${folder}/secret.txt`,
      `${folder}/notes-2/a.txt`,
      `${notes}/link-out`,
      `${notes}/folder-out`,
      `${notes}/folder-out/a.txt`,
      `${notes}/folder-out/new.txt`,
      `${notes}/link-to-nothing`,
      `${notes}/link-to-nothing/x`,
      `${notes}/circle`,
      `${notes}/circle/x`,
      `${notes}/a.txt/x`,
      `${notes}/../secret.txt`,
      `${notes}/sub/../a.txt`,
      `${notes}/..`,
      `${notes}/ .. /secret.txt`,
      `${notes}/%2e%2e/secret.txt`,
      `${notes}/..%2fsecret.txt`,
      `${notes}/%252e%252e/secret.txt`,
      `${notes}/%c0%ae%c0%ae/secret.txt`,
      `${notes}/%u002e%u002e/secret.txt`,
      `${notes}/\uff0e\uff0e/secret.txt`,
      `${notes}/\u2025/secret.txt`,
      `${notes}/\u2024\u2024/secret.txt`,
      `${notes}\uff0f..\uff0fsecret.txt`,
      `${notes}/..\\secret.txt`,
      `${notes}\\..\\secret.txt`,
      `${notes}/a.txt\0.png`,
      `${notes}/a\u200b.txt`,
      `${notes}/a\u202e.txt`,
      `${notes}/a.txt\n`,
      `${notes}/a\nb`,
      `${notes}/a\u0007b`,
      ` ${notes}/a.txt`,
      `${notes}/link-out `,
      `${notes}/link-out"`,
      `'${notes}/link-out'`,
      `/${notes}/a.txt`,
      `//server/share/a.txt`,
      '\\\\server\\share\\a.txt',
      '\\\\?\\C:\\a.txt',
      'C:\\a.txt',
      'C:a.txt',
      'c:/a.txt',
      'a.txt',
      './a.txt',
      'notes/a.txt',
      '~/a.txt',
      '~',
      `file://${notes}/a.txt`,
      '',
      `${notes}/${'x'.repeat(5000)}`,
      `${notes}/\ud800`,
      5,
      null,
      [notes],
      { toString: notes },
    ]
    const verdicts = await under({ under: './notes' }, refused, folder)
    expect(verdicts.map((verdict, index) => [refused[index], verdict])).toEqual(
      refused.map((value) => [value, '/x under']),
    )
  })

  test('may be under any of several roots', async () => {
    const { folder, notes } = notesFolder()
    const values = [
      `${notes}/a.txt`,
      `${folder}/other/a.txt`,
      `${folder}/secret.txt`,
      `${notes}/folder-out/a.txt`,
    ]
    expect(await under({ under: ['notes', 'other'] }, values, folder)).toEqual([
      'ran',
      'ran',
      '/x under',
      'ran',
    ])
  })

  test('may be one file', async () => {
    const { folder, notes } = notesFolder()
    const values = [`${notes}/a.txt`, `${notes}/a.txtx`, notes]
    expect(await under({ under: 'notes/a.txt' }, values, folder)).toEqual(['ran', '/x under', '/x under'])
  })

  test('is judged with the root as it was at the start', async () => {
    const { folder, notes } = notesFolder()
    const { rmSync, symlinkSync } = await import('node:fs')
    const link = `${folder}/root`
    symlinkSync('notes', link)
    await governed({ tools: { t: { x: { under: './root' } } } }, folder, async (call) => {
      expect(await call('t', { x: `${link}/a.txt` })).toBe('ran')
      rmSync(link)
      symlinkSync('other', link)
      expect(broken(await call('t', { x: `${link}/a.txt` }))).toBe('/x under')
      expect(await call('t', { x: `${notes}/a.txt` })).toBe('ran')
    })
  })

  test('is refused where a name on disk is another spelling of one that is not there', async () => {
    const { folder, notes } = notesFolder()
    const { symlinkSync } = await import('node:fs')
    symlinkSync('../secret.txt', `${notes}/cafe\u0301`)
    symlinkSync('../secret.txt', `${notes}/at 9\u202fam`)
    const values = [`${notes}/caf\u00e9`, `${notes}/at 9 am`, `${notes}/A.txt`, `${notes}/other`]
    expect(await under({ under: 'notes' }, values, folder)).toEqual([
      '/x under',
      '/x under',
      '/x under',
      'ran',
    ])
  })

  test('needs a root that is there', async () => {
    await expect(under({ under: './missing' }, [], temporaryFolder())).rejects.toThrow(ContractInvalid)
    await expect(under({ under: './missing' }, [], temporaryFolder())).rejects.toThrow(
      /^\/tools\/t: there is no .*missing$/,
    )
  })
})
