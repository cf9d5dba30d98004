/**
 * The string glob of Vault's `allowed_parameters` and `*_glob` lists: `*` counts at the start and
 * at the end only, anywhere else it is a star. Nothing to backtrack, so nothing to blow up.
 */
export function globMatch(pattern: string, text: string): boolean {
  const open = pattern.startsWith('*')
  const close = pattern.endsWith('*')
  if (!open && !close) return pattern === text
  if (pattern.length === 1) return true
  if (open && close) return text.includes(pattern.slice(1, -1))
  return open ? text.endsWith(pattern.slice(1)) : text.startsWith(pattern.slice(0, -1))
}
