/** The name that was probably meant, if any comes close. */
export function nearest(word: string, names: readonly string[]): string | undefined {
  const wanted = word.toLowerCase()
  const begins = names.find((name) => wanted.length >= 2 && name.startsWith(wanted))
  if (begins !== undefined) return begins
  let best: string | undefined
  let least = Math.max(2, Math.floor(wanted.length / 3)) + 1
  for (const name of names) {
    const distance = editDistance(wanted, name)
    if (distance < least && distance < name.length) {
      best = name
      least = distance
    }
  }
  return best
}

/** ` Did you mean …?`, or nothing. */
export function suggestion(word: string, names: readonly string[], prefix = ''): string {
  const name = nearest(word, names)
  return name === undefined ? '' : ` Did you mean ${prefix}${name}?`
}

/** Levenshtein's distance: insertions, deletions and replacements. */
function editDistance(from: string, to: string): number {
  // A word much longer than any name is none of them misspelt; without a bound it would take its time.
  if (from.length > 64) return Number.POSITIVE_INFINITY
  let row = Array.from({ length: to.length + 1 }, (_, index) => index)
  for (let i = 1; i <= from.length; i++) {
    const next = [i]
    for (let j = 1; j <= to.length; j++) {
      const replaced = (row[j - 1] as number) + (from[i - 1] === to[j - 1] ? 0 : 1)
      next.push(Math.min(replaced, (row[j] as number) + 1, (next[j - 1] as number) + 1))
    }
    row = next
  }
  return row[to.length] as number
}
