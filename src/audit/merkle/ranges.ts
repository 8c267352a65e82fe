/** Consecutive leaves: `start` up to and without `end`. */
export interface LeafRange {
  readonly start: number
  readonly end: number
}

/** The largest power of two below `size`, which is 2 at least: where RFC 6962 splits a tree. */
function splitOf(size: number): number {
  let split = 1
  while (split * 2 < size) split *= 2
  return split
}

/**
 * The subtrees whose roots are the inclusion proof of leaf `index` in a tree of `size` leaves, from the
 * leaf's sibling to the root's child.
 *
 * @see RFC 6962, section 2.1.1, PATH(m, D[n])
 */
export function inclusionRanges(index: number, size: number): LeafRange[] {
  const ranges: LeafRange[] = []
  let start = 0
  let end = size
  while (end - start > 1) {
    const middle = start + splitOf(end - start)
    if (index < middle) {
      ranges.push({ start: middle, end })
      end = middle
    } else {
      ranges.push({ start, end: middle })
      start = middle
    }
  }
  return ranges.reverse()
}

/**
 * The subtrees whose roots are the consistency proof between the trees of the first `first` and of all
 * `second` leaves. None when the sizes are the same, and none from the empty tree, which everything extends.
 *
 * @see RFC 6962, section 2.1.2, SUBPROOF(m, D[n], b)
 */
export function consistencyRanges(first: number, second: number): LeafRange[] {
  if (first === 0) return []
  const ranges: LeafRange[] = []
  let start = 0
  let end = second
  while (first !== end) {
    const middle = start + splitOf(end - start)
    if (first <= middle) {
      ranges.push({ start: middle, end })
      end = middle
    } else {
      ranges.push({ start, end: middle })
      start = middle
    }
  }
  // A subtree that is the whole first tree has the first root, which the verifier has.
  if (start > 0) ranges.push({ start, end })
  return ranges.reverse()
}
