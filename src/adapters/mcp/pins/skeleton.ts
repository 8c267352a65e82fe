/** Letters of other scripts that look like these. */
const LOOKALIKES: readonly (readonly [latin: string, others: string])[] = [
  ['a', 'аαɑ'],
  ['b', 'ьЬ'],
  ['c', 'сϲ'],
  ['d', 'ԁ'],
  ['e', 'еεҽ'],
  ['g', 'ɡ'],
  ['h', 'һ'],
  ['i', 'іιı'],
  ['j', 'ј'],
  ['k', 'кκ'],
  ['l', 'ӏⅼ1'],
  ['m', 'м'],
  ['n', 'пη'],
  ['o', 'оοօ0'],
  ['p', 'рρ'],
  ['q', 'ԛ'],
  ['r', 'г'],
  ['s', 'ѕ'],
  ['t', 'тτ'],
  ['u', 'υս'],
  ['v', 'νѵ'],
  ['w', 'ԝω'],
  ['x', 'хχ'],
  ['y', 'уγү'],
  ['_', './-‐‑–— '],
]

const LATIN: ReadonlyMap<string, string> = new Map(
  LOOKALIKES.flatMap(([latin, others]) => [...others].map((other) => [other, latin] as const)),
)

/**
 * What is left of a name when everything is taken from it that a person, or a list of names, may not tell apart:
 * case, form, what cannot be seen, accents, letters of other scripts, separators. After Unicode's UTS 39, with a
 * table of the letters that matter in names of tools.
 */
export function skeletonOf(name: string): string {
  const plain = name
    .normalize('NFKD')
    .replaceAll(/[\p{Default_Ignorable_Code_Point}\p{M}]/gu, '')
    .toLowerCase()
  return [...plain].map((character) => LATIN.get(character) ?? character).join('')
}
