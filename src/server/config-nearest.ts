/** The known key that was probably meant, told by how many slips of the finger lie between. */

const LENGTH_MAX = 64

/** The closest of `known`, or undefined when none is close enough to be a slip. */
export function nearestKey(typed: string, known: Iterable<string>): string | undefined {
  if (typed.length > LENGTH_MAX) return undefined
  let best: string | undefined
  let fewest = Math.max(2, Math.floor(typed.length / 3)) + 1
  for (const word of known) {
    const slips = distance(typed.toLowerCase(), word)
    if (slips < fewest) {
      fewest = slips
      best = word
    }
  }
  return best
}

/** Letters inserted, deleted or changed, one row of the usual table at a time. */
function distance(a: string, b: string): number {
  let above = Array.from({ length: b.length + 1 }, (_, j) => j)
  for (let i = 1; i <= a.length; i++) {
    const row = [i]
    for (let j = 1; j <= b.length; j++) {
      const change = (above[j - 1] ?? 0) + (a[i - 1] === b[j - 1] ? 0 : 1)
      row.push(Math.min(change, (above[j] ?? 0) + 1, (row[j - 1] ?? 0) + 1))
    }
    above = row
  }
  return above[b.length] ?? 0
}
