import { expect, test } from 'vitest'
import { parseTrustedKeys } from 'writ/verify'
import { keyOf } from '../../support/signed-logs.js'

const key = String(keyOf().verifierKey)
const other = String(keyOf('example.com/witness', 2).verifierKey)

test('a file of keys: one on each line, with its time', () => {
  const text = `# ours\n\n${key}\n  ${other} \t from=2026-01-01 until=2026-06-30T12:00:00+02:00\r\n`
  const [first, second] = parseTrustedKeys(text)
  expect(String(first?.key)).toBe(key)
  expect(first).not.toHaveProperty('validFrom')
  expect(String(second?.key)).toBe(other)
  expect(second).toMatchObject({ validFrom: '2026-01-01', validUntil: '2026-06-30T12:00:00+02:00' })
  expect(parseTrustedKeys(`${key} until=2027-01-01 from=2026-01-01`)).toMatchObject([
    { validUntil: '2027-01-01' },
  ])
})

test.each([
  ['', 'it holds no key'],
  ['# nothing\n', 'it holds no key'],
  ['x', 'line 1: verifier key: expected name+id+base64'],
  [`${key}\nx y`, 'line 2: expected name+id+base64 [from=TIME] [until=TIME]'],
  [`${key} since=2026-01-01`, 'line 1: expected'],
  [`${key}from=2026-01-01`, 'line 1: verifier key'],
  [`${key} from=2026-01-01 from=2026-01-01`, 'line 1: from is given twice'],
  [`${key} from=2026-13-01`, 'line 1.validFrom: expected an ISO 8601 time'],
  // Without a zone it would be of the reader's own.
  [`${key} from=2026-01-01T00:00:00`, 'line 1.validFrom: expected an ISO 8601 time'],
  [`${key} from=2026-01-02 until=2026-01-01`, 'line 1: validFrom is not before validUntil'],
])('%j: %s', (text, said) => {
  expect(() => parseTrustedKeys(text)).toThrow(said)
})
