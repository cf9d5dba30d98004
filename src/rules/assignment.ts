/**
 * Finds the value that is assigned to a name, whatever the language: code, YAML, TOML, JSON, HCL,
 * properties, XML, dotenv, shell, Dockerfiles, query strings, arguments of calls, options of commands.
 * One reading of the syntax for all rules, by character codes and without looking far, so that what
 * comes after a keyword is judged for the price of a few comparisons.
 */

/** A value, and what it was assigned to. All offsets are in units of the text. */
export type Assigned = {
  readonly text: string
  readonly nameStart: number
  readonly nameEnd: number
  readonly start: number
  /** Where the value ends: before its closing quote, or before what cannot belong to it. */
  readonly end: number
  /** The quote around the value: one of `"'` and the backtick, or nothing. */
  readonly quote: string
  /** What stood between the two: `=`, `:`, `,` for a further argument, `>` for an element, … */
  readonly operator: string
}

const NAME_MAX = 64
const VALUE_MAX = 4096
/** Without quotes, nothing but its length ends a value in a text that is one long line. */
const BARE_MAX = 1024
const SPACES_MAX = 40

/** Classes of ASCII, one bit each. */
const WORD = 1
const NAME = 2
const SPACE = 4
const CLOSER = 8
const STOP = 16
const LETTER = 32
const table = new Uint8Array(128)
for (let c = 0; c < 128; c++) {
  const char = String.fromCharCode(c)
  if (/[A-Za-z0-9_]/.test(char)) table[c]! |= WORD
  if (/[A-Za-z]/.test(char)) table[c]! |= LETTER
  if (/[A-Za-z0-9_.$-]/.test(char)) table[c]! |= NAME
  if (char === ' ' || char === '\t') table[c]! |= SPACE
  if (/["'`\])}\\]/.test(char)) table[c]! |= CLOSER
  if (/[\s"'`<>,;(){}[\]\\|&]/.test(char)) table[c]! |= STOP
}
const is = (code: number, mask: number) => code < 128 && (table[code]! & mask) !== 0
export const isWord = (code: number) => is(code, WORD)

const NEWLINE = 10
const RETURN = 13
const QUOTES = new Set([34, 39, 96])
const code = (char: string) => char.charCodeAt(0)
const [EQUALS, COLON, COMMA, OPEN, GREATER, LESS, BAR, BACKSLASH, DASH, DOT, QUESTION, PLUS, AMP] =
  ['=', ':', ',', '(', '>', '<', '|', '\\', '-', '.', '?', '+', '&'].map(code) as [
    number,
    number,
    number,
    number,
    number,
    number,
    number,
    number,
    number,
    number,
    number,
    number,
    number,
  ]

/** Where the name ends that has a keyword ending at `at`. */
export function endOfName(text: string, at: number): number {
  const last = Math.min(text.length, at + NAME_MAX)
  while (at < last && is(text.charCodeAt(at), NAME)) at++
  return at
}

/** Where the name begins that has a keyword beginning at `at`. */
export function startOfName(text: string, at: number): number {
  const first = Math.max(0, at - NAME_MAX)
  while (at > first && is(text.charCodeAt(at - 1), NAME)) at--
  return at
}

/**
 * The value assigned to the name that ends at `nameEnd`, or undefined: most names are only used.
 * `keyword` is a unit inside the name.
 */
export function valueAfter(text: string, nameEnd: number, keyword: number): Assigned | undefined {
  const operator = readOperator(text, nameEnd)
  if (operator === undefined) return undefined
  const value = readValue(text, operator)
  if (value === undefined) return undefined
  return { text, nameStart: startOfName(text, keyword), nameEnd, operator: operator.text, ...value }
}

type Operator = { text: string; end: number }

function skipSpaces(text: string, at: number): number {
  const last = Math.min(text.length, at + SPACES_MAX)
  while (at < last && is(text.charCodeAt(at), SPACE)) at++
  return at
}

function readOperator(text: string, nameEnd: number): Operator | undefined {
  let at = nameEnd
  const first = text.charCodeAt(at)
  // What closes the name: a quote, a subscript, escaped quotes inside a string.
  let closed = false
  for (let k = 0; k < 6 && is(text.charCodeAt(at), CLOSER); k++, at++)
    closed ||= QUOTES.has(text.charCodeAt(at))
  const spaced = at
  at = skipSpaces(text, at)
  const c = text.charCodeAt(at)
  if (c === EQUALS || c === COLON) return assigns(text, at)
  if (c === COMMA) {
    // An argument after this one: the name must be all of its string, not the end of a sentence.
    const alone = closed && QUOTES.has(text.charCodeAt(startOfName(text, nameEnd) - 1))
    return alone ? { text: ',', end: at + 1 } : undefined
  }
  if (c === GREATER) return first === GREATER ? { text: '>', end: at + 1 } : undefined
  if (c === OPEN) return first === OPEN ? { text: '(', end: at + 1 } : undefined
  if (
    c === QUESTION ||
    c === PLUS ||
    c === DOT ||
    c === BAR ||
    c === AMP ||
    c === LESS ||
    c === DASH
  )
    return compound(text, at)
  if (QUOTES.has(c)) return at > spaced && spaced === nameEnd ? { text: ' ', end: at } : undefined
  if (is(c, LETTER) && at > spaced)
    return closed ? attribute(text, at) : afterWords(text, at, nameEnd)
  return undefined
}

/** `=`, `==`, `=>`, `:`, `:=`, `:::=`, and a type between: `: string =`. */
function assigns(text: string, at: number): Operator {
  const start = at
  while (at < start + 4 && (text.charCodeAt(at) === EQUALS || text.charCodeAt(at) === COLON)) at++
  if (text.charCodeAt(at) === GREATER && text.charCodeAt(at - 1) === EQUALS) at++
  const operator = text.slice(start, at)
  if (operator !== ':') return { text: operator, end: at }
  const typed = TYPE.exec(text.slice(at, at + 48))
  return typed === null ? { text: ':', end: at } : { text: '=', end: at + typed[0].length }
}
const TYPE = /^ ?[A-Za-z][\w.<>[\]|?& ]{0,32}= ?(?=["'`])/

/** `?=`, `+=`, `.=`, `||=`, `??`, `||`, `?:`, `<-`, `->`. */
function compound(text: string, at: number): Operator | undefined {
  const found = COMPOUND.exec(text.slice(at, at + 3))
  return found === null ? undefined : { text: found[0], end: at + found[0].length }
}
const COMPOUND = /^(?:\|\|=|&&=|\?\?=|[?+.|]=|\|\||\?\?|\?:|<-|->)/

/** `key="token" value="…"`: the two halves of an element's pair. */
function attribute(text: string, at: number): Operator | undefined {
  const found = /^value {0,2}= {0,2}(?=["'])/.exec(text.slice(at, at + 16))
  return found === null ? undefined : { text: '=', end: at + found[0].length }
}

/** `var token string = "…"`, `token is "…"`, and `--token value` of a command. */
function afterWords(text: string, at: number, nameEnd: number): Operator | undefined {
  const words = WORDS.exec(text.slice(at, at + 48))
  if (words !== null) return { text: '=', end: at + words[0].length }
  const start = startOfName(text, nameEnd)
  const option = text.charCodeAt(start) === DASH
  return option ? { text: ' ', end: at } : undefined
}
const WORDS = /^[A-Za-z*][\w.[\]*]{0,24}(?: [A-Za-z]\w{0,16})?(?: ?:?= ?| ?: |(?<=is) )(?!=)/

type Value = { start: number; end: number; quote: string }

function readValue(text: string, operator: Operator): Value | undefined {
  let at = skipSpaces(text, operator.end)
  let c = text.charCodeAt(at)
  if (c === NEWLINE || c === RETURN || c === BAR || c === GREATER || c === BACKSLASH) {
    const next = nextLine(text, at, operator.text)
    if (next === undefined) return undefined
    at = next
    c = text.charCodeAt(at)
  }
  // A prefix of a string (b"…", @"…"), or a call around it: String("…").
  if ((is(c, LETTER) || c === 64) && !QUOTES.has(c)) {
    const wrapped = WRAPPER.exec(text.slice(at, at + 40))
    if (wrapped !== null) {
      at += wrapped[0].length
      c = text.charCodeAt(at)
    }
  }
  let escapes = 0
  while (c === BACKSLASH && escapes < 8) {
    escapes++
    c = text.charCodeAt(++at)
  }
  if (QUOTES.has(c)) return quoted(text, at + 1, c, escapes)
  if (escapes > 0 || operator.text === '(' || operator.text === ',') return undefined
  return bare(text, at, operator.text)
}
const WRAPPER = /^(?:[bBrRuUfFL@$]{1,2}|(?:new )?[A-Za-z_][\w.:]{0,28}\( ?)(?=\\{0,8}["'`])/

/** A value on the next line: of an element, of a YAML block, after a backslash, as a quoted string. */
function nextLine(text: string, at: number, operator: string): number | undefined {
  const ahead = text.slice(at, at + 80)
  const pattern = operator === '>' ? ELEMENT : operator === ':' ? BLOCK : CONTINUED
  const found = pattern.exec(ahead)
  if (found !== null) return at + found[0].length
  return QUOTED_BELOW.test(ahead)
    ? at + QUOTED_BELOW.exec(ahead)![0].length
    : escapedQuote(text, at)
}
const ELEMENT = /^\r?\n[ \t]{0,60}/
const BLOCK = /^[|>][+-]?[ \t]{0,4}\r?\n[ \t]{1,60}/
const CONTINUED = /^\\\r?\n[ \t]{0,60}/
const QUOTED_BELOW = /^\\?\r?\n[ \t]{0,60}(?=["'`])/

/** `\"key\":\"value\"`: what looks like a continued line is an escaped quote. */
function escapedQuote(text: string, at: number): number | undefined {
  const found = /^\\{1,8}(?=["'])/.exec(text.slice(at, at + 10))
  return found === null ? undefined : at
}

function quoted(text: string, start: number, quote: number, escapes: number): Value | undefined {
  const last = Math.min(text.length, start + VALUE_MAX)
  let at = start
  for (; at < last; at++) {
    const c = text.charCodeAt(at)
    // A template may go over lines; a secret does not.
    if (c === NEWLINE) return undefined
    if (c === BACKSLASH) {
      let run = 1
      while (text.charCodeAt(at + run) === BACKSLASH && run < 16) run++
      const quoteFollows = text.charCodeAt(at + run) === quote
      // Inside a string the quotes themselves are escaped, and end what they opened.
      if (quoteFollows && run <= escapes) break
      at += quoteFollows && run % 2 === 1 ? run : run - 1
      continue
    }
    if (c === quote) break
  }
  return at < last ? { start, end: at, quote: String.fromCharCode(quote) } : undefined
}

function bare(text: string, start: number, operator: string): Value | undefined {
  const last = Math.min(text.length, start + BARE_MAX)
  let at = start
  if (operator === '>') {
    while (at < last && text.charCodeAt(at) !== LESS && text.charCodeAt(at) > 32) at++
  } else {
    while (at < last && (!is(text.charCodeAt(at), STOP) || isPartOf(text, at))) at++
  }
  return at === start ? undefined : { start, end: at, quote: '' }
}

/** An ampersand belongs to the value, unless a further argument of a query begins there. */
function isPartOf(text: string, at: number): boolean {
  return text.charCodeAt(at) === AMP && !NEXT_ARGUMENT.test(text.slice(at, at + 40))
}
const NEXT_ARGUMENT = /^&(?:[\w.%-]{1,36}=|amp;|&|\s|$)/
