import fc from 'fast-check'
import { Webhook } from 'standardwebhooks'
import { afterEach, expect, test, vi } from 'vitest'
import { createSigner } from '../../../src/sinks/webhook-signature.js'

afterEach(() => vi.unstubAllGlobals())

const base64 = (bytes: number): string => Buffer.alloc(bytes, 7).toString('base64')

test('signs as the reference implementation does', async () => {
  await fc.assert(
    fc.asyncProperty(
      fc.uint8Array({ minLength: 24, maxLength: 64 }),
      fc.boolean(),
      fc.string({ unit: 'grapheme' }),
      fc.integer({ min: 0, max: 2 ** 32 }),
      async (key, withPrefix, body, timestampS) => {
        const secret = `${withPrefix ? 'whsec_' : ''}${Buffer.from(key).toString('base64')}`
        const sign = createSigner('secret', secret)
        const expected = new Webhook(secret).sign('msg_1', new Date(timestampS * 1000), body)
        expect(await sign('msg_1', timestampS, body)).toBe(expected)
      },
    ),
  )
})

test('agrees with a vector of HMAC-SHA-256', async () => {
  // printf '1.2.{}\n' | openssl dgst -sha256 -mac HMAC -macopt hexkey:$(printf '07%.0s' $(seq 24)) -binary | base64
  const sign = createSigner('secret', `whsec_${base64(24)}`)
  expect(await sign('1', 2, '{}\n')).toBe('v1,jkTeqSnph+Jy8fi6SDfN82z9PwzgrWW1sqPNjU1pSno=')
})

test.each([
  ['too short', `whsec_${base64(23)}`, RangeError],
  ['too long', `whsec_${base64(65)}`, RangeError],
  ['empty', 'whsec_', RangeError],
  ['an asymmetric key', `whsk_${base64(32)}`, TypeError],
  ['no base64', `whsec_canary!${base64(32)}`, TypeError],
  ['base64url', `whsec_${base64(32).replace('B', '-')}`, TypeError],
  ['without padding', `whsec_canaryAA${base64(32).replaceAll('=', '')}`, TypeError],
  ['with a line break', `whsec_${base64(32)}\n`, TypeError],
  ['no string', 12345, TypeError],
])('refuses a secret that is %s, without printing it', (_, secret, type) => {
  let error: unknown
  try {
    createSigner('webhook: secret', secret)
  } catch (thrown) {
    error = thrown
  }
  expect(error).toBeInstanceOf(type)
  const { message } = error as Error
  expect(message).toContain('webhook: secret')
  expect(message).not.toMatch(/canary|BwcH|12345/)
})

test('says so where there is no Web Crypto', () => {
  vi.stubGlobal('crypto', {})
  expect(() => createSigner('secret', base64(24))).toThrow(
    expect.objectContaining({ code: 'ERR_RUNTIME_UNSUPPORTED' }),
  )
})
