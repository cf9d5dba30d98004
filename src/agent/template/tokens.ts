/**
 * Cuts a template into texts and actions, and an action into words. The language is that of Go's
 * text/template, as Vault Agent's templates use it.
 */

/** Says the line and what was expected; never what stands in the file, which may be a secret. */
export class TemplateError extends Error {
  override readonly name = 'TemplateError'
  readonly line: number

  constructor(line: number, problem: string) {
    super(`line ${line}: ${problem}`)
    this.line = line
  }
}

export type Word =
  | { readonly kind: 'text'; readonly value: string }
  | { readonly kind: 'number'; readonly value: number }
  /** `.a.b` after a space; a chain directly behind something else is `chain`. */
  | { readonly kind: 'field' | 'chain'; readonly value: readonly string[] }
  | { readonly kind: 'variable' | 'name'; readonly value: string }
  | { readonly kind: 'sign'; readonly value: string }

export type Piece =
  | { readonly kind: 'text'; readonly text: string }
  | { readonly kind: 'action'; readonly words: readonly Word[]; readonly line: number }

export type Delimiters = { readonly left: string; readonly right: string }

const SPACE_END = /[ \t\r\n]+$/
const SPACE_BEGIN = /^[ \t\r\n]+/

export function cutTemplate(source: string, { left, right }: Delimiters): Piece[] {
  const pieces: Piece[] = []
  let at = 0
  let trimNext = false
  const pushText = (raw: string, trimEnd: boolean) => {
    const begun = trimNext ? raw.replace(SPACE_BEGIN, '') : raw
    const text = trimEnd ? begun.replace(SPACE_END, '') : begun
    if (text !== '') pieces.push({ kind: 'text', text })
  }
  const lineAt = lineCounter(source)
  for (;;) {
    const open = source.indexOf(left, at)
    if (open === -1) break
    const line = lineAt(open)
    let inner = open + left.length
    const trimsBefore = /^-[ \t\r\n]/.test(source.slice(inner, inner + 2))
    pushText(source.slice(at, open), trimsBefore)
    if (trimsBefore) inner += 2
    const { words, end, trimsAfter } = readAction(source, { from: inner, right, line })
    if (words.length > 0) pieces.push({ kind: 'action', words, line })
    trimNext = trimsAfter
    at = end
  }
  pushText(source.slice(at), false)
  return pieces
}

function lineCounter(source: string): (at: number) => number {
  let line = 1
  let seen = 0
  return (at) => {
    for (; seen < at; seen++) if (source[seen] === '\n') line++
    return line
  }
}

type Action = { words: Word[]; end: number; trimsAfter: boolean }
type From = { from: number; right: string; line: number }

function readAction(source: string, { from, right, line }: From): Action {
  const words: Word[] = []
  for (let at = from; ;) {
    const space = match(source, /[ \t\r\n]+/y, at)
    const gap = space !== undefined || at === from
    at += space?.length ?? 0
    if (space !== undefined && source.startsWith(`-${right}`, at)) {
      return { words, end: at + 1 + right.length, trimsAfter: true }
    }
    if (source.startsWith(right, at)) return { words, end: at + right.length, trimsAfter: false }
    if (source.startsWith('/*', at) && words.length === 0) {
      const end = source.indexOf('*/', at)
      if (end === -1) throw new TemplateError(line, 'expected */ to close a comment')
      at = end + 2
      continue
    }
    if (at >= source.length) throw new TemplateError(line, `expected ${right} to close the action`)
    const found = readWord(source, { at, gap, line })
    words.push(found.word)
    at = found.end
  }
}

function match(source: string, sticky: RegExp, at: number): string | undefined {
  sticky.lastIndex = at
  return sticky.exec(source)?.[0]
}

const RAW = /`[^`]*`/y
const QUOTED = /"(?:[^"\\\n]|\\[^\n])*"/y
const NUMBER = /[+-]?(?:0[xX][0-9a-fA-F]+|\d+(?:\.\d+)?(?:[eE][+-]?\d+)?)/y
const FIELD = /(?:\.[\p{L}_][\p{L}\p{Nd}_]*)+|\./uy
const VARIABLE = /\$[\p{L}\p{Nd}_]*/uy
const NAME = /[\p{L}_][\p{L}\p{Nd}_]*/uy
const SIGN = /:=|[|(),=]/y

type At = { at: number; gap: boolean; line: number }

function readWord(source: string, { at, gap, line }: At): { word: Word; end: number } {
  const take = (sticky: RegExp, make: (text: string) => Word) => {
    const text = match(source, sticky, at)
    return text === undefined ? undefined : { word: make(text), end: at + text.length }
  }
  const before = source[at - 1]
  const chained = !gap && (before === ')' || /[\p{L}\p{Nd}_$]/u.test(before ?? ''))
  return (
    take(RAW, (text) => ({ kind: 'text', value: text.slice(1, -1) })) ??
    take(QUOTED, (text) => ({ kind: 'text', value: unescaped(text, line) })) ??
    take(NUMBER, (text) => ({ kind: 'number', value: Number(text) })) ??
    take(FIELD, (text) => ({
      kind: chained ? 'chain' : 'field',
      value: text === '.' ? [] : text.slice(1).split('.'),
    })) ??
    take(VARIABLE, (value) => ({ kind: 'variable', value })) ??
    take(NAME, (value) => ({ kind: 'name', value })) ??
    take(SIGN, (value) => ({ kind: 'sign', value })) ??
    fail(line)
  )
}

function fail(line: number): never {
  throw new TemplateError(line, 'expected a string, number, .field, $variable, function or )')
}

const ESCAPES: Readonly<Record<string, string>> = {
  ...{ a: '\u0007', b: '\b', f: '\f', n: '\n', r: '\r', t: '\t', v: '\v' },
  ...{ '\\': '\\', '"': '"', "'": "'" },
}

function unescaped(text: string, line: number): string {
  return text
    .slice(1, -1)
    .replaceAll(/\\(x[0-9a-fA-F]{2}|u[0-9a-fA-F]{4}|U[0-9a-fA-F]{8}|.)/g, (_all, name: string) => {
      const known = Object.hasOwn(ESCAPES, name) ? ESCAPES[name] : undefined
      if (known !== undefined) return known
      const point = name.length > 1 ? Number.parseInt(name.slice(1), 16) : Number.NaN
      if (Number.isNaN(point) || point > 0x10_ff_ff) throw new TemplateError(line, 'unknown escape')
      return String.fromCodePoint(point)
    })
}
