import { describe, expect, test } from 'vitest'
import { MAX_HISTORY_BYTES, MAX_HISTORY_NOTES, splitHistory } from 'writ/verify'

const noteOf = (text: string): string => `${text}\n\n\u2014 key AAAA\n`
const fileOf = (notes: readonly string[]): string => notes.map((note) => `${note}\n`).join('')
const numbered = (count: number): string[] => Array.from({ length: count }, (_, index) => noteOf(`n${index}`))

describe('a history of checkpoints is taken apart', () => {
  const notes = [noteOf('one'), noteOf('two\nlines'), noteOf('three')]

  test('into its notes, each as it was signed', () => {
    expect(splitHistory(fileOf(notes))).toEqual({ notes, isSkipped: false, isCut: false })
  })

  test('from bytes as from a text', () => {
    expect(splitHistory(new TextEncoder().encode(fileOf(notes)))).toEqual(splitHistory(fileOf(notes)))
  })

  test('and one note alone is one, with and without the empty line after it', () => {
    for (const file of [noteOf('one'), fileOf([noteOf('one')])])
      expect(splitHistory(file)).toEqual({ notes: [noteOf('one')], isSkipped: false, isCut: false })
  })

  test('and an empty one holds nothing', () => {
    expect(splitHistory('')).toEqual({ notes: [], isSkipped: false, isCut: false })
  })

  test('and a byte order mark is part of the first note, which it spoils', () => {
    const marked = `\ufeff${noteOf('one')}`
    expect(splitHistory(new TextEncoder().encode(marked)).notes).toEqual([marked])
  })
})

test('a note that was cut is left out, wherever it was cut, and that is said', () => {
  const whole = fileOf([noteOf('one')])
  const second = noteOf('two')
  for (let length = 1; length < second.length; length++) {
    const { notes, isCut } = splitHistory(whole + second.slice(0, length))
    expect({ notes, isCut }).toEqual({ notes: [noteOf('one')], isCut: true })
  }
})

describe('the first note is left out, and that is said', () => {
  test('of what is only the end of a file', () => {
    const file = fileOf([noteOf('half'), noteOf('whole')]).slice(2)
    expect(splitHistory(file, true)).toEqual({ notes: [noteOf('whole')], isSkipped: true, isCut: false })
    expect(splitHistory('', true)).toEqual({ notes: [], isSkipped: true, isCut: false })
  })

  test('of a file that is larger than what is read of it, and not of the largest that is', () => {
    const last = fileOf([noteOf('last')])
    const room = MAX_HISTORY_BYTES - (fileOf([noteOf('')]) + last).length
    const exact = fileOf([noteOf('x'.repeat(room))]) + last
    expect(splitHistory(exact)).toMatchObject({ notes: { length: 2 }, isSkipped: false })
    const longer = fileOf([noteOf('x'.repeat(room + 1))]) + last
    expect(splitHistory(longer)).toEqual({ notes: [noteOf('last')], isSkipped: true, isCut: false })
    // What is before the end is not read at all, so that no note comes from there.
    expect(splitHistory(fileOf([noteOf('first')]) + longer).notes).toEqual([noteOf('last')])
    expect(splitHistory(new TextEncoder().encode(longer)).notes).toEqual([noteOf('last')])
  })
})

test('the newest of too many notes are kept', () => {
  const all = numbered(MAX_HISTORY_NOTES)
  expect(splitHistory(fileOf(all))).toEqual({ notes: all, isSkipped: false, isCut: false })
  const more = numbered(MAX_HISTORY_NOTES + 2)
  expect(splitHistory(fileOf(more))).toEqual({ notes: more.slice(2), isSkipped: true, isCut: false })
})
