/**
 * One form for HCL files: two spaces per level, one space around `=`, equal signs of neighbouring
 * lines under each other, at most one blank line. Comments, strings and heredocs stay as they are.
 */
import { isDeepStrictEqual } from 'node:util'
import { parseHcl } from '../lib/hcl.ts'

type Line = { readonly depth: number; readonly text: string; readonly verbatim: boolean }

/** Throws what the parser throws when the text is not HCL. Formatting twice changes nothing more. */
export function formatHcl(text: string): string {
  const before = parseHcl(text)
  const formatted = `${align(squeeze(layOut(text)))
    .join('\n')
    .trim()}\n`
  // The meaning is compared rather than trusted: a formatter must never change a policy.
  if (!isDeepStrictEqual(values(before), values(parseHcl(formatted)))) {
    throw new Error('this file cannot be formatted without changing what it means')
  }
  return formatted
}

/** The parsed file without the line numbers, which formatting may change. */
function values(node: unknown): unknown {
  if (Array.isArray(node)) return node.map(values)
  if (typeof node !== 'object' || node === null) return node
  const kept = Object.entries(node).filter(([key]) => key !== 'line')
  return Object.fromEntries(kept.map(([key, value]) => [key, values(value)]))
}

function layOut(text: string): Line[] {
  const lines: Line[] = []
  let depth = 0
  let until: string | undefined
  for (const raw of text.replaceAll('\r\n', '\n').split('\n')) {
    if (until !== undefined) {
      lines.push({ depth: 0, text: raw, verbatim: true })
      if (until === '*/' ? raw.includes('*/') : raw.trim() === until) until = undefined
      continue
    }
    const { code, open, close, heredoc, comment } = scan(raw.trim())
    const leading = /^[}\])]+/.exec(code)?.[0].length ?? 0
    lines.push({ depth: Math.max(0, depth - leading), text: code, verbatim: false })
    depth = Math.max(0, depth + open - close)
    until = heredoc ?? (comment ? '*/' : undefined)
  }
  return lines
}

type Scanned = {
  code: string
  open: number
  close: number
  heredoc: string | undefined
  comment: boolean
}

const TOKEN =
  /"(?:[^"\\]|\\.)*"|#.*|\/\/.*|\/\*.*?(?:\*\/|$)|<<-?([\p{L}\p{Nd}_]+)|[[(]\s*(?![/#\s])|\s*[\])]|[{[(}]|\s*,\s*|\s+|[^"#/<{[(}\]),\s]+|./gsu

/** One line: its spaces made regular, and what it opens and closes. */
function scan(line: string): Scanned {
  const found: Scanned = { code: '', open: 0, close: 0, heredoc: undefined, comment: false }
  for (const [token, heredoc] of line.matchAll(TOKEN)) {
    const bare = token.trim()
    if (/^[{[(]$/.test(bare)) found.open++
    if (/^[}\])]$/.test(bare)) found.close++
    if (heredoc !== undefined) found.heredoc = heredoc
    if (token.startsWith('/*') && !token.endsWith('*/')) found.comment = true
    if (bare === '') found.code += ' '
    else if (bare === ',') found.code += ', '
    else found.code += /^[[\](){}]$/.test(bare) ? bare : token
  }
  found.code = found.code
    .trim()
    .replace(/^([\p{L}_][\w.-]*|"(?:[^"\\]|\\.)*") *= */u, '$1 = ')
    .replace(/^(path|[\p{L}_][\w-]*) *("(?:[^"\\]|\\.)*") *\{/u, '$1 $2 {')
  return found
}

/** No blank lines at the start of a block or the end of one, and never two in a row. */
function squeeze(lines: readonly Line[]): Line[] {
  const kept: Line[] = []
  for (const line of lines) {
    const last = kept.at(-1)
    const blank = line.text === '' && !line.verbatim
    if (blank && (last === undefined || last.text === '' || /[{[]$/.test(last.text))) continue
    if (/^[}\]]/.test(line.text) && last?.text === '' && !last.verbatim) kept.pop()
    kept.push(line)
  }
  return kept
}

const ATTRIBUTE = /^([\p{L}_][\w.-]*|"(?:[^"\\]|\\.)*") = /u

/** Indents, and pads names so that the equal signs of neighbours stand in one column. */
function align(lines: readonly Line[]): string[] {
  const nameOf = (line: Line | undefined) =>
    line === undefined || line.verbatim ? undefined : ATTRIBUTE.exec(line.text)?.[1]
  const together = (a: Line | undefined, b: Line | undefined) =>
    nameOf(a) !== undefined &&
    nameOf(b) !== undefined &&
    a?.depth === b?.depth &&
    !/[[{(]$/.test(a!.text)
  return lines.map((line, i) => {
    if (line.verbatim) return line.text
    const name = nameOf(line)
    let text = line.text
    if (name !== undefined) {
      let [from, to] = [i, i]
      while (together(lines[from - 1], lines[from])) from--
      while (together(lines[to], lines[to + 1])) to++
      const widest = Math.max(...lines.slice(from, to + 1).map((each) => nameOf(each)!.length))
      text = `${name.padEnd(widest)} = ${line.text.slice(name.length + 3)}`
    }
    return text === '' ? '' : '  '.repeat(line.depth) + text
  })
}
