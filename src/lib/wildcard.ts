/** Patterns in which `*` stands for any characters, slashes too. */

/** Time is at most the product of both lengths, whatever the pattern. */
export function wildcardMatches(pattern: string, text: string): boolean {
  let at = 0
  let inText = 0
  let star = -1
  let resume = 0
  while (inText < text.length) {
    if (pattern[at] === '*') {
      star = at++
      resume = inText
    } else if (at < pattern.length && pattern[at] === text[inText]) {
      at++
      inText++
    } else if (star >= 0) {
      at = star + 1
      inText = ++resume
    } else return false
  }
  while (pattern[at] === '*') at++
  return at === pattern.length
}
