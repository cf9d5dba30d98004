/** What somebody probably meant: the known word with the fewest slips of the finger between. */

/** A longer one is no word somebody typed, and its table would cost too much. */
const LENGTH_MAX = 64

/** The closest of `words`, or undefined when none is close enough to be a slip. */
export function nearest(typed: string, words: Iterable<string>): string | undefined {
  if (typed.length > LENGTH_MAX) return undefined
  let best: string | undefined
  let fewest = Math.max(1, Math.floor(typed.length / 3)) + 1
  for (const word of words) {
    const slips = distance(typed, word)
    if (slips < fewest) {
      fewest = slips
      best = word
    }
  }
  return best
}

/** Inserted, deleted, changed or swapped letters between the two. */
function distance(a: string, b: string): number {
  const rows: number[][] = [Array.from({ length: b.length + 1 }, (_, j) => j)]
  for (let i = 1; i <= a.length; i++) {
    const row = [i]
    const above = rows[i - 1]!
    for (let j = 1; j <= b.length; j++) {
      const change = above[j - 1]! + (a[i - 1] === b[j - 1] ? 0 : 1)
      let least = Math.min(change, above[j]! + 1, row[j - 1]! + 1)
      const swapped = i > 1 && j > 1 && a[i - 1] === b[j - 2] && a[i - 2] === b[j - 1]
      if (swapped) least = Math.min(least, rows[i - 2]![j - 2]! + 1)
      row.push(least)
    }
    rows.push(row)
  }
  return rows[a.length]![b.length]!
}
