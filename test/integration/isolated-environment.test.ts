import { afterEach, beforeEach, describe, expect, test } from 'vitest'
import { contextOf, isolate } from '../support/isolated-bench.js'

const SECRET = 'WRIT_TEST_SECRET'

beforeEach(() => {
  process.env[SECRET] = 'planted'
  process.env['NODE_OPTIONS'] = '--no-warnings'
})

afterEach(() => {
  delete process.env[SECRET]
  delete process.env['NODE_OPTIONS']
})

describe.each([{ process: false }, { process: true }])('process: $process', ({ process: inProcess }) => {
  const environment = async (options = {}): Promise<unknown> =>
    isolate('environment', { process: inProcess, ...options })({}, contextOf())

  test('a tool sees no variable, no argument and no option of its host', async () => {
    const seen = (await environment()) as { argv: string[] }
    expect(seen).toMatchObject({ variables: {}, inherited: {}, options: [] })
    expect(seen.argv.filter((argument) => argument !== '[worker eval]')).toEqual([])
  })

  test('a variable that is named is passed, and one that is not set is not', async () => {
    expect(await environment({ env: [SECRET, 'WRIT_TEST_UNSET'] })).toMatchObject({
      variables: { [SECRET]: 'planted' },
    })
  })

  test('it gets the values of the moment in which it was defined', async () => {
    const execute = isolate('environment', { process: inProcess, env: [SECRET] })
    process.env[SECRET] = 'changed'
    expect(await execute({}, contextOf())).toMatchObject({ variables: { [SECRET]: 'planted' } })
  })

  test('what it sets is not seen by its host', async () => {
    await isolate('plants', { process: inProcess })({ name: SECRET }, contextOf())
    expect(process.env[SECRET]).toBe('planted')
  })
})

test('a process has no stdin', async () => {
  expect(await isolate('reads', { process: true })({}, contextOf())).toBe('')
})

test.each(['NODE_OPTIONS', 'node_options', 'NODE_CHANNEL_FD'])('%s is never passed', (name) => {
  expect(() => isolate('environment', { env: [name] })).toThrow(/is never passed/)
})
