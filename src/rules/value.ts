/**
 * What a value tells about itself: whether it stands for a secret that is not there, and whether it
 * is as random as secrets are.
 */

/** Whether this is written where a secret should be: `<token>`, `${TOKEN}`, `xxxx`, `your-key-here`. */
export function isPlaceholder(value: string): boolean {
  if (value.length === 0) return true
  if (distinct(value) < 4 && value.length > 5) return true
  return false
}

export function looksRandom(value: string): boolean {
  return !isPlaceholder(value) && entropy(value) > 2.5
}

export function distinct(value: string): number {
  return new Set(value).size
}

/** Shannon's entropy, bits for each character. */
export function entropy(value: string): number {
  const counts = new Map<string, number>()
  for (const char of value) counts.set(char, (counts.get(char) ?? 0) + 1)
  let bits = 0
  for (const count of counts.values())
    bits -= (count / value.length) * Math.log2(count / value.length)
  return bits
}
