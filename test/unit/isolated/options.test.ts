import { expect, test } from 'vitest'
import { type IsolatedOptions, isolated } from 'writ/isolated'

const url = new URL('./tool.js', import.meta.url)

test.each([
  ['./tool.js', TypeError, /no absolute URL; use new URL/],
  [5, TypeError, /expected the URL of a module.*got 5/],
  [undefined, TypeError, /expected the URL of a module/],
  ['https://example.com/tool.js', RangeError, /expected a file: or data: URL/],
] as const)('%s is no module', (module, kind, message) => {
  expect(() => isolated(module as never)).toThrow(kind)
  expect(() => isolated(module as never)).toThrow(message)
})

test.each([
  [{ nmae: 'x' }, TypeError, /unknown option nmae/],
  [null, TypeError, /expected an options object/],
  [{ name: '' }, RangeError, /isolated\.name/],
  [{ process: 'yes' }, TypeError, /isolated\.process: expected a boolean/],
  [{ memoryMb: 64, process: false }, RangeError, /isolated\.memoryMb: only a process has a limit/],
  [{ memoryMb: 15 }, RangeError, /isolated\.memoryMb: expected at least 16, got 15/],
  [{ memoryMb: 64.5 }, RangeError, /isolated\.memoryMb/],
  [{ memoryMb: Number.NaN }, RangeError, /isolated\.memoryMb/],
  [{ env: 'PATH' }, TypeError, /isolated\.env: expected an array/],
  [{ env: [5] }, TypeError, /isolated\.env/],
  [{ env: ['A\u0000B'] }, RangeError, /isolated\.env/],
  [{ stdio: 'pipe' }, RangeError, /expected 'ignore' or 'inherit', got "pipe"/],
  [{ min: -1 }, RangeError, /isolated\.min/],
  [{ max: 0 }, RangeError, /isolated\.max: expected at least 1/],
  [{ max: 1025 }, RangeError, /isolated\.max/],
  [{ min: 3, max: 2 }, RangeError, /isolated\.min: expected at most max \(2\), got 3/],
  [{ idleMs: '1' }, TypeError, /isolated\.idleMs/],
  [{ maxCallsPerWorker: 0 }, RangeError, /isolated\.maxCallsPerWorker/],
  [{ graceMs: -1 }, RangeError, /isolated\.graceMs/],
  [{ maxOutputBytes: 0 }, RangeError, /isolated\.maxOutputBytes/],
] as const)('%j is refused', (options, kind, message) => {
  expect(() => isolated(url, options as unknown as IsolatedOptions)).toThrow(kind)
  expect(() => isolated(url, options as unknown as IsolatedOptions)).toThrow(message)
})

test('nothing starts before it is needed, and it can be closed all the same', async () => {
  const execute = isolated(url)
  expect(execute.size).toBe(0)
  expect(Object.isFrozen(execute)).toBe(true)
  await execute.close()
  expect(execute.size).toBe(0)
})
