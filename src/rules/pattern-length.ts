/**
 * How long a match of a pattern can be, read from its source. Every rule must have such a length: it
 * bounds the work at each keyword, and says how much of a stream has to be held back.
 */

/** The largest number of units a match can have; Infinity when nothing bounds it. */
export function longestMatch(pattern: RegExp): number {
  return readAlternatives({ source: pattern.source, at: 0 }).length
}

/** Whether a part that may have several lengths is repeated more than a few times. */
export function hasNestedRepeats(pattern: RegExp): boolean {
  return readAlternatives({ source: pattern.source, at: 0 }).nested
}

/** Repeating what has several lengths this often is bounded by a small factor. */
const REPEATS_MAX = 4

type Cursor = { readonly source: string; at: number }
type Part = { length: number; varies: boolean; nested: boolean }
const NOTHING: Part = { length: 0, varies: false, nested: false }

function readAlternatives(c: Cursor): Part {
  let all = readSequence(c)
  while (c.source[c.at] === '|') {
    c.at++
    const other = readSequence(c)
    all = {
      length: Math.max(all.length, other.length),
      varies: true,
      nested: all.nested || other.nested,
    }
  }
  return all
}

function readSequence(c: Cursor): Part {
  let all = NOTHING
  while (c.at < c.source.length && c.source[c.at] !== '|' && c.source[c.at] !== ')') {
    const part = repeat(c, readAtom(c))
    all = {
      length: all.length + part.length,
      varies: all.varies || part.varies,
      nested: all.nested || part.nested,
    }
  }
  return all
}

function readAtom(c: Cursor): Part {
  const char = c.source[c.at++]
  if (char === '(') return readGroup(c)
  if (char === '^' || char === '$') return NOTHING
  if (char === '[') {
    while (c.source[c.at] !== ']') c.at += c.source[c.at] === '\\' ? 2 : 1
    c.at++
  } else if (char === '\\') {
    const escaped = c.source[c.at++]
    if (escaped === 'b' || escaped === 'B') return NOTHING
    const digits = { x: 2, u: 4 }[escaped ?? '']
    c.at += digits ?? 0
  }
  return { length: 1, varies: false, nested: false }
}

function readGroup(c: Cursor): Part {
  const opening =
    /^\?(?:[:=!]|<[=!]|<\w+>|[a-z]*(?:-[a-z]+)?:)/.exec(c.source.slice(c.at))?.[0] ?? ''
  c.at += opening.length
  const inner = readAlternatives(c)
  c.at++
  // What looks around takes nothing.
  return /^\?<?[=!]/.test(opening) ? NOTHING : inner
}

function repeat(c: Cursor, part: Part): Part {
  const found = /^(?:[*+?]|\{(\d+)(?:(,)(\d*))?\})\??/.exec(c.source.slice(c.at))
  if (found === null) return part
  c.at += found[0].length
  const [least, most] = countsOf(found)
  return {
    length: part.length === 0 ? 0 : part.length * most,
    varies: part.varies || least !== most,
    nested: part.nested || (part.varies && most > REPEATS_MAX),
  }
}

function countsOf([text, least, comma, most]: RegExpExecArray): readonly [number, number] {
  if (least === undefined) return text.startsWith('?') ? [0, 1] : [0, Number.POSITIVE_INFINITY]
  if (comma === undefined) return [Number(least), Number(least)]
  return [Number(least), most ? Number(most) : Number.POSITIVE_INFINITY]
}
