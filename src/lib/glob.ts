/**
 * The two globs of Vault. Neither has anything to backtrack, so nothing to blow up.
 */

/**
 * The string glob of `allowed_parameters` and `*_glob` lists: `*` counts at the start and at the
 * end only, anywhere else it is a star.
 */
export function globMatch(pattern: string, text: string): boolean {
  const open = pattern.startsWith('*')
  const close = pattern.endsWith('*')
  if (!open && !close) return pattern === text
  if (pattern.length === 1) return true
  if (open && close) return text.includes(pattern.slice(1, -1))
  return open ? text.endsWith(pattern.slice(1)) : text.startsWith(pattern.slice(0, -1))
}

/**
 * The glob of auth methods' bound names: any number of `*` anywhere, each for any characters or
 * none. An empty pattern matches only the empty text.
 */
export function wildcardMatch(pattern: string, text: string): boolean {
  const [first = '', ...rest] = pattern.split('*')
  const last = rest.pop()
  if (last === undefined) return pattern === text
  if (!text.startsWith(first)) return false
  let at = first.length
  for (const part of rest) {
    const found = text.indexOf(part, at)
    if (found < 0) return false
    at = found + part.length
  }
  return text.length - last.length >= at && text.endsWith(last)
}
