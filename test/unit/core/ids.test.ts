import { describe, expect, test, vi } from 'vitest'
import { newId } from '../../../src/core/ids.js'

const ALPHABET = '0123456789ABCDEFGHJKMNPQRSTVWXYZ'

describe('an id', () => {
  test('is a ULID that begins with its millisecond', () => {
    const nowMs = Date.UTC(2026, 0, 1)
    const id = newId(nowMs)
    expect(id).toMatch(/^[0-7][0-9A-HJKMNP-TV-Z]{25}$/)
    const time = [...id.slice(0, 10)].reduce((sum, letter) => sum * 32 + ALPHABET.indexOf(letter), 0)
    expect(time).toBe(nowMs)
  })

  test('is like no other, and sorts after the ones before, in one millisecond and over many', () => {
    const ids: string[] = []
    for (let ms = 0; ms < 500; ms++) {
      for (let each = 0; each < 20; each++) ids.push(newId(Date.UTC(2026, 1, 1) + ms))
    }
    expect(new Set(ids).size).toBe(ids.length)
    expect([...ids].sort()).toEqual(ids)
  })

  test('is like no other although the clock on the wall was set back', () => {
    const later = newId(Date.UTC(2026, 2, 2))
    const earlier = newId(Date.UTC(2026, 2, 1))
    expect(earlier > later).toBe(true)
  })

  test('takes its random part from the operating system, a pool at a time', () => {
    const draw = vi.spyOn(globalThis.crypto, 'getRandomValues')
    try {
      for (let ms = 0; ms < 600; ms++) newId(Date.UTC(2026, 3, 1) + ms)
      // 600 ids of 16 letters each: two or three pools of 4,096.
      expect(draw.mock.calls.length).toBeGreaterThanOrEqual(2)
      expect(draw.mock.calls.length).toBeLessThanOrEqual(3)
    } finally {
      draw.mockRestore()
    }
  })

  test('has no letter of its random part that cannot occur', () => {
    const seen = new Set<string>()
    for (let ms = 0; ms < 1000; ms++)
      for (const letter of newId(Date.UTC(2026, 4, 1) + ms).slice(10)) seen.add(letter)
    expect([...seen].sort().join('')).toBe(ALPHABET)
  })
})
