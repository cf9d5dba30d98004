/**
 * RE2's syntax, which other scanners' rules are written in, as a regular expression of JavaScript that
 * means the same. Read by grammar and written anew: flags that change in the middle, POSIX classes,
 * `\z`, `\Q…\E`, an ASCII `\s`. JavaScript's engine backtracks and RE2's does not, so what would make it
 * try the same text in exponentially many ways is refused, and no repetition is without an end.
 */

/** Says what is not understood or cannot be run safely; never quotes a text that was scanned. */
export class PatternRefused extends Error {
  override readonly name = 'PatternRefused'
}

const LENGTH_MAX = 20_000
const DEPTH_MAX = 100
/** In place of no limit. */
const REPEAT_MAX = 8192
/** RE2's own limit for a count. */
const COUNT_MAX = 1000

type Set = {
  readonly kind: 'set'
  readonly source: string
  readonly has: (unit: number) => boolean
}
type Node =
  | Set
  | { readonly kind: 'edge'; readonly source: string }
  | { readonly kind: 'all' | 'any'; readonly of: readonly Node[] }
  | { readonly kind: 'group'; readonly name: string | undefined; readonly of: Node }
  | {
      readonly kind: 'times'
      readonly least: number
      readonly most: number
      readonly lazy: boolean
      readonly of: Node
    }

/** Throws a PatternRefused. */
export function fromRe2(pattern: string, flags = 'g'): RegExp {
  if (pattern.length > LENGTH_MAX) throw new PatternRefused('it is too long')
  const root = new Reader(pattern).whole()
  refuseExplosive(root)
  try {
    return new RegExp(written(root), flags)
  } catch {
    throw new PatternRefused('it has no equal in JavaScript')
  }
}

type Flags = { readonly i: boolean; readonly s: boolean; readonly m: boolean }

const WORD = /[0-9A-Za-z_]/
const CLASSES: Readonly<Record<string, string>> = {
  d: '0-9',
  w: '0-9A-Za-z_',
  s: String.raw`\t\n\f\r `,
}
const POSIX: Readonly<Record<string, string>> = {
  alnum: '0-9A-Za-z',
  alpha: 'A-Za-z',
  ascii: String.raw`\x00-\x7f`,
  blank: String.raw`\t `,
  cntrl: String.raw`\x00-\x1f\x7f`,
  digit: '0-9',
  graph: '!-~',
  lower: 'a-z',
  print: ' -~',
  punct: String.raw`!-\/:-@\[-${'`'}{-~`,
  space: String.raw`\t\n\v\f\r `,
  upper: 'A-Z',
  word: '0-9A-Za-z_',
  xdigit: '0-9A-Fa-f',
}
const CONTROLS: Readonly<Record<string, number>> = { a: 7, f: 12, t: 9, n: 10, r: 13, v: 11 }

class Reader {
  #at = 0
  #depth = 0
  readonly #text: string

  constructor(text: string) {
    this.#text = text
  }

  whole(): Node {
    const node = this.#alternatives({ i: false, s: false, m: false })
    if (this.#at < this.#text.length) throw new PatternRefused('it closes a group that is not open')
    return node
  }

  #alternatives(flags: Flags): Node {
    if (++this.#depth > DEPTH_MAX) throw new PatternRefused('its groups are nested too deeply')
    const options: Node[] = []
    let now = flags
    for (;;) {
      const { items, after } = this.#sequence(now)
      // A flag that was set counts for the alternatives that follow, too.
      now = after
      options.push(items.length === 1 ? items[0]! : { kind: 'all', of: items })
      if (this.#text[this.#at] !== '|') break
      this.#at++
    }
    this.#depth--
    return options.length === 1 ? options[0]! : union(options)
  }

  #sequence(flags: Flags): { items: Node[]; after: Flags } {
    const items: Node[] = []
    let now = flags
    while (this.#at < this.#text.length) {
      const char = this.#text[this.#at]!
      if (char === '|' || char === ')') break
      const change = this.#take(/\(\?([a-zA-Z]*)(?:-([a-zA-Z]+))?\)/y)
      if (change) now = changed(now, change[1]!, change[2] ?? '')
      else if (this.#take(/\\Q/y)) items.push(...this.#quoted(now))
      else items.push(this.#repeated(this.#atom(now)))
    }
    return { items, after: now }
  }

  #quoted(flags: Flags): Node[] {
    const end = this.#text.indexOf('\\E', this.#at)
    const text = this.#text.slice(this.#at, end < 0 ? undefined : end)
    this.#at = end < 0 ? this.#text.length : end + 2
    const items = Array.from(text, (char) => setOf(literal(char.codePointAt(0)!), flags))
    // What follows repeats the last of them.
    const last = items.pop()
    return last === undefined ? [] : [...items, this.#repeated(last)]
  }

  #atom(flags: Flags): Node {
    const char = this.#text[this.#at]!
    if (char === '(') return this.#group(flags)
    if (char === '[') return this.#class(flags)
    if (char === '\\') return this.#escape(flags)
    const point = this.#text.codePointAt(this.#at)!
    this.#at += point > 0xffff ? 2 : 1
    if (char === '.') return setOf(flags.s ? '^' : String.raw`^\n`, { ...flags, i: false })
    if (char === '^') return edge(flags.m ? String.raw`(?<![^\n])` : '(?<![^])')
    if (char === '$') return edge(flags.m ? String.raw`(?![^\n])` : '(?![^])')
    if (/[*+?]/.test(char)) throw new PatternRefused('it repeats nothing')
    return setOf(literal(point), flags)
  }

  #group(flags: Flags): Node {
    const open = this.#take(/\((?:\?(?:P?<([A-Za-z_]\w*)>|([a-zA-Z]*)(?:-([a-zA-Z]+))?:))?/y)!
    if (this.#text[this.#at] === '?')
      throw new PatternRefused('it has a kind of group that RE2 has not')
    const [whole, name, on, off] = open
    const inner = on === undefined ? flags : changed(flags, on, off ?? '')
    const of = this.#alternatives(inner)
    if (this.#text[this.#at++] !== ')') throw new PatternRefused('a group does not end')
    return whole === '(' || name !== undefined ? { kind: 'group', name, of } : of
  }

  #escape(flags: Flags): Node {
    const mark = this.#take(/\\([bBAz])/y)
    if (mark) return edge({ b: '\\b', B: '\\B', A: '(?<![^])', z: '(?![^])' }[mark[1]!]!)
    const known = this.#take(/\\([dswDSW])/y)
    if (known) {
      const [, kind] = known
      const content = CLASSES[kind!.toLowerCase()]!
      return setOf(kind! < 'a' ? `^${content}` : content, { ...flags, i: false })
    }
    return setOf(literal(this.#escaped()), flags)
  }

  /** The character that an escape stands for. */
  #escaped(): number {
    const hex = this.#take(/\\x(?:\{([0-9A-Fa-f]{1,6})\}|([0-9A-Fa-f]{2}))/y)
    if (hex) return Number.parseInt(hex[1] ?? hex[2]!, 16)
    const octal = this.#take(/\\([0-7]{2,3}|0)/y)
    if (octal) return Number.parseInt(octal[1]!, 8)
    const control = this.#take(/\\([aftnrv])/y)
    if (control) return CONTROLS[control[1]!]!
    const other = this.#take(/\\([^0-9A-Za-z])/y)
    if (other) return other[1]!.charCodeAt(0)
    const what = this.#text.slice(this.#at, this.#at + 2)
    throw new PatternRefused(`it has ${what.length < 2 ? 'a backslash at its end' : what}`)
  }

  #class(flags: Flags): Node {
    this.#at++
    let content = this.#take(/\^/y) ? '^' : ''
    for (let first = true; ; first = false) {
      const char = this.#text[this.#at]
      if (char === undefined) throw new PatternRefused('a class does not end')
      if (char === ']' && !first) break
      content += this.#member()
    }
    this.#at++
    return setOf(content, flags)
  }

  /** One character, range or class within a class. */
  #member(): string {
    const posix = this.#take(/\[:(\^?)([a-z]+):\]/y)
    if (posix) {
      const found = POSIX[posix[2]!]
      if (found === undefined || posix[1] === '^') throw new PatternRefused(`it has ${posix[0]}`)
      return found
    }
    const known = this.#take(/\\([dswDSW])/y)
    if (known) {
      const kind = known[1]!
      // JavaScript's own \S leaves out more spaces than RE2's; within a class there is no other way.
      return kind < 'a' ? `\\${kind}` : CLASSES[kind]!
    }
    const from = this.#unit()
    if (this.#text[this.#at] !== '-' || /^-(?:\]|$)/.test(this.#text.slice(this.#at, this.#at + 2)))
      return literal(from)
    this.#at++
    const to = this.#unit()
    if (to < from) throw new PatternRefused('a range in a class goes backwards')
    return `${literal(from)}-${literal(to)}`
  }

  #unit(): number {
    if (this.#text[this.#at] === '\\') return this.#escaped()
    const point = this.#text.codePointAt(this.#at)
    if (point === undefined) throw new PatternRefused('a class does not end')
    if (point > 0xffff) throw new PatternRefused('a class has a character beyond U+FFFF')
    this.#at++
    return point
  }

  #repeated(of: Node): Node {
    const found = this.#take(/(?:([*+?])|\{(\d{1,5})(?:(,)(\d{1,5})?)?\})(\??)/y)
    if (!found) return of
    if (/^[*+]|^\{\d+(?:,\d*)?\}/.test(this.#text.slice(this.#at)))
      throw new PatternRefused('it repeats a repetition')
    const [, sign, low, comma, high, lazy] = found
    const [least, most] = sign
      ? [sign === '+' ? 1 : 0, sign === '?' ? 1 : Infinity]
      : [Number(low), comma ? (high ? Number(high) : Infinity) : Number(low)]
    if (least > COUNT_MAX || (most !== Infinity && (most > COUNT_MAX || most < least)))
      throw new PatternRefused('it repeats more often than RE2 allows')
    return { kind: 'times', least, most, lazy: lazy === '?', of }
  }

  #take(expected: RegExp): RegExpExecArray | null {
    expected.lastIndex = this.#at
    const found = expected.exec(this.#text)
    if (found) this.#at += found[0].length
    return found
  }
}

function changed(flags: Flags, on: string, off: string): Flags {
  if (/[^ism]/.test(on + off))
    throw new PatternRefused(`it has the flag ${(on + off).replaceAll(/[ism]/g, '')}`)
  const value = (flag: 'i' | 's' | 'm') => (flags[flag] || on.includes(flag)) && !off.includes(flag)
  return { i: value('i'), s: value('s'), m: value('m') }
}

const edge = (source: string): Node => ({ kind: 'edge', source })

/** One character, as it may stand in a class. */
function literal(point: number): string {
  if (point > 0x10ffff) throw new PatternRefused('it has a character beyond U+10FFFF')
  const char = String.fromCodePoint(point)
  if (WORD.test(char) || point > 0xffff) return char
  return `\\u${point.toString(16).padStart(4, '0')}`
}

function setOf(content: string, { i }: Flags): Node {
  if (/^[\ud800-\udbff]/.test(content)) return edge(content)
  const source = content === '^' ? '[^]' : `[${content}]`
  let test: RegExp
  try {
    test = new RegExp(source, i ? 'i' : '')
  } catch {
    throw new PatternRefused('it has a class that JavaScript has not')
  }
  const has = (unit: number) => test.test(String.fromCharCode(unit))
  return { kind: 'set', source: i ? `(?i:${source})` : source, has }
}

/** One of several characters is one character: `(.|\s)` may not be tried in two ways. */
function union(options: readonly Node[]): Node {
  const sets = options.filter((one) => one.kind === 'set')
  if (sets.length < options.length) return { kind: 'any', of: options }
  const source = sets.map((one, i) => {
    return (
      sets
        .slice(0, i)
        .map((before) => `(?!${before.source})`)
        .join('') + one.source
    )
  })
  return {
    kind: 'set',
    source: `(?:${source.join('|')})`,
    has: (unit) => sets.some((one) => one.has(unit)),
  }
}

function written(node: Node): string {
  switch (node.kind) {
    case 'set':
    case 'edge':
      return node.source
    case 'all':
      return node.of
        .map((one) => (one.kind === 'any' ? `(?:${written(one)})` : written(one)))
        .join('')
    case 'any':
      return node.of.map(written).join('|')
    case 'group':
      return `(${node.name === undefined ? '' : `?<${node.name}>`}${written(node.of)})`
    case 'times': {
      const { least, most, lazy, of } = node
      const inner = of.kind === 'set' || of.kind === 'group' ? written(of) : `(?:${written(of)})`
      return `${inner}{${least},${Math.min(most, REPEAT_MAX)}}${lazy ? '?' : ''}`
    }
    default:
      return node satisfies never
  }
}

/** More often than this, and each time in more than one way, is more than a text can be tried. */
const OFTEN = 12

/**
 * A repetition in a repetition tries a text in exponentially many ways, unless what ends the inner one
 * can be no part of it: `(a+)+` is refused, `(a+,)+` is not.
 */
function refuseExplosive(node: Node): void {
  if (node.kind === 'times' && node.most > OFTEN && isAmbiguous(node.of)) {
    throw new PatternRefused('a repetition in a repetition could take exponential time')
  }
  if (node.kind === 'all' || node.kind === 'any') node.of.forEach(refuseExplosive)
  else if (node.kind === 'group' || node.kind === 'times') refuseExplosive(node.of)
}

/** Whether a text may be read in more than one way when this comes again and again. */
function isAmbiguous(node: Node): boolean {
  if (node.kind === 'group') return isAmbiguous(node.of)
  if (node.kind === 'any') {
    return (
      node.of.some(isAmbiguous) ||
      node.of.some((one, i) => node.of.some((other, k) => k > i && meet(one, other)))
    )
  }
  if (node.kind === 'times') {
    if (node.least !== node.most && node.most > 1) return true
    return node.least === 0 || isAmbiguous(node.of)
  }
  if (node.kind !== 'all') return false
  return node.of.some((one, i) => {
    const inner = one.kind === 'group' ? one.of : one
    if (inner.kind !== 'times' || inner.least === inner.most) return isAmbiguous(one)
    // What follows it, round again to the beginning.
    const next = [...node.of.slice(i + 1), ...node.of.slice(0, i)].find(
      ({ kind }) => kind !== 'edge',
    )
    return (
      next === undefined ||
      (next.kind === 'times' && next.least === 0) ||
      isAmbiguous(inner.of) ||
      meet(inner.of, next)
    )
  })
}

/** Whether both can begin with the same character; of what is not ASCII one stands for all. */
function meet(one: Node, other: Node): boolean {
  const [a, b] = [firstOf(one), firstOf(other)]
  for (let unit = 0; unit <= 0xff; unit++)
    if (a.some((f) => f(unit)) && b.some((f) => f(unit))) return true
  return false
}

function firstOf(node: Node): Set['has'][] {
  switch (node.kind) {
    case 'set':
      return [node.has]
    case 'edge':
      return []
    case 'any':
      return node.of.flatMap(firstOf)
    case 'group':
    case 'times':
      return firstOf(node.of)
    case 'all': {
      const first: Set['has'][] = []
      for (const one of node.of) {
        first.push(...firstOf(one))
        if (one.kind !== 'edge' && !(one.kind === 'times' && one.least === 0)) break
      }
      return first
    }
    default:
      return node satisfies never
  }
}
