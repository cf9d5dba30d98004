/**
 * `list_scan_response_keys_filter_path`: a path for each name of a list, at which the caller must be
 * allowed to read (or, for a folder, to list) for the name to be shown. Written as a template:
 * `{{ .path }}` is the path that was listed, `{{ .key }}` the name, and each may go through
 * `replace "old" "new"`. What else OpenBao's templates can do is refused when the policy is written.
 */

type Replace = { readonly from: string; readonly to: string }
type Part = string | { readonly of: 'path' | 'key'; readonly replaces: readonly Replace[] }

/** The path that stands for a name of the list at `path` (which ends in a slash). */
export type KeysFilter = (path: string, key: string) => string

const EXPRESSION = /\{\{-?\s*(.*?)\s*-?\}\}/gs
const WORD = /^\s*\.(path|key)\s*$/
const REPLACE = /^\s*replace\s+("(?:[^"\\]|\\.)*"|`[^`]*`)\s+("(?:[^"\\]|\\.)*"|`[^`]*`)\s*$/

/** Undefined when it is not understood. */
export function parseKeysFilter(text: string): KeysFilter | undefined {
  const parts: Part[] = []
  let at = 0
  for (const match of text.matchAll(EXPRESSION)) {
    parts.push(text.slice(at, match.index))
    const part = readExpression(match[1]!)
    if (!part) return undefined
    parts.push(part)
    at = match.index + match[0].length
  }
  parts.push(text.slice(at))
  const plain = parts.filter((part) => typeof part === 'string')
  if (plain.some((part) => part.includes('{{') || part.includes('}}'))) return undefined
  return (path, key) => parts.map((part) => expand(part, { path, key })).join('')
}

function readExpression(text: string): Part | undefined {
  const [first = '', ...pipes] = text.split('|')
  const of = WORD.exec(first)?.[1] as 'path' | 'key' | undefined
  if (!of) return undefined
  const replaces: Replace[] = []
  for (const pipe of pipes) {
    const [, from, to] = REPLACE.exec(pipe) ?? []
    if (from === undefined || to === undefined) return undefined
    replaces.push({ from: unquote(from), to: unquote(to) })
  }
  return { of, replaces }
}

const unquote = (quoted: string) => quoted.slice(1, -1).replaceAll(/\\(.)/g, '$1')

function expand(part: Part, names: { path: string; key: string }): string {
  if (typeof part === 'string') return part
  return part.replaces.reduce(
    (text, { from, to }) => (from === '' ? text : text.replaceAll(from, () => to)),
    names[part.of],
  )
}
