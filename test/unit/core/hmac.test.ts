import { createHmac } from 'node:crypto'
import { afterEach, expect, test, vi } from 'vitest'

afterEach(() => {
  vi.unstubAllGlobals()
  vi.resetModules()
})

test.each([true, false])('HMAC-SHA-256, with one of the runtime: %s', async (hasNative) => {
  const { getBuiltinModule } = process
  vi.resetModules()
  vi.stubGlobal('process', hasNative ? { getBuiltinModule } : {})
  const { hmacSha256 } = await import('../../../src/core/hmac.js')
  for (const [key, text] of [
    [new Uint8Array(32).fill(7), 'Grüße, 東京 😀\0'],
    [new Uint8Array(100).fill(1), ''],
  ] as const) {
    const expected = createHmac('sha256', key).update(text).digest('hex')
    expect(Buffer.from(hmacSha256(key, text)).toString('hex')).toBe(expected)
  }
  // RFC 4231, test case 2.
  const key = new TextEncoder().encode('Jefe')
  expect(Buffer.from(hmacSha256(key, 'what do ya want for nothing?')).toString('hex')).toBe(
    '5bdcc146bf60754e6a042426089575c75a003f089d2739839dec58b964ec3843',
  )
})
