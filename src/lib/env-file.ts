/**
 * The `.env` format as the npm package dotenv reads it: `NAME=value` or `NAME: value` on a line, with
 * or without `export`, the value bare or in one of three kinds of quotes, over several lines if it
 * has to be. Nothing is interpolated. What is no such line is passed over.
 */

/** One assignment and where its value stands in the text, quotes included. */
export type EnvEntry = {
  readonly name: string
  readonly value: string
  readonly line: number
  readonly from: number
  readonly to: number
}

export type EnvFile = {
  /** In the order of the text; a name that comes twice is in here twice. */
  readonly entries: readonly EnvEntry[]
  /** What the entries' places are places in: the given text with `\n` at every end of line. */
  readonly text: string
}

const SPACES = /\s*/y
const KEY = /(?:export\s+)?([\w.-]+)(?:\s*=|:\s)/y
const PLAIN_KEY = /([\w.-]+)(?:\s*=|:\s)/y
const BARE = /[^#\n]*/y
const LINE_END = /[\n\u2028\u2029]/

export function parseEnvFile(given: string): EnvFile {
  const text = given.replaceAll(/\r\n?/g, '\n')
  const entries: EnvEntry[] = []
  let line = 1
  let counted = 0
  for (let at = 0; at < text.length;) {
    const begin = past(text, SPACES, at)
    const key = match(text, KEY, begin) ?? match(text, PLAIN_KEY, begin)
    if (!key) {
      at = nextLine(text, begin + 1)
      continue
    }
    const start = begin + key[0].length
    const { raw, end } = quoted(text, start) ?? bare(text, start)
    const lead = raw.length - raw.trimStart().length
    const from = start + lead
    for (let i = counted; i < begin; i++) if (text[i] === '\n') line++
    counted = Math.max(counted, begin)
    const inner = raw.trim()
    entries.push({ name: key[1]!, value: unquoted(inner), line, from, to: from + inner.length })
    at = nextLine(text, end)
  }
  return { entries, text }
}

/** The values by name; of a name that comes twice the last. */
export function envValues({ entries }: EnvFile): Map<string, string> {
  return new Map(entries.map(({ name, value }) => [name, value]))
}

function match(text: string, sticky: RegExp, at: number): RegExpExecArray | null {
  sticky.lastIndex = at
  return sticky.exec(text)
}

function past(text: string, sticky: RegExp, at: number): number {
  return at + (match(text, sticky, at)?.[0].length ?? 0)
}

/** The beginning of the first line after `at`, or `at` itself when it is one. */
function nextLine(text: string, at: number): number {
  if (at > 0 && LINE_END.test(text[at - 1]!)) return at
  for (let i = at; i < text.length; i++) if (LINE_END.test(text[i]!)) return i + 1
  return text.length
}

type Found = { raw: string; end: number }

/**
 * A value in quotes, closed by the first quote without a backslash before it, with nothing but a
 * comment behind. If that is not so, a quote with a backslash may close it, the last one first.
 */
function quoted(text: string, start: number): Found | undefined {
  const open = past(text, SPACES, start)
  const quote = text[open]
  if (quote !== "'" && quote !== '"' && quote !== '`') return undefined
  const closing: number[] = []
  for (let at = text.indexOf(quote, open + 1); at !== -1; at = text.indexOf(quote, at + 1)) {
    closing.push(at)
    if (text[at - 1] !== '\\' || at - 1 === open) break
  }
  for (const at of closing.reverse()) {
    const end = endOfRest(text, at + 1)
    if (end !== undefined) return { raw: text.slice(start, at + 1), end }
  }
  return undefined
}

/** Where a line that goes on with at most a comment ends; undefined when there is more on it. */
function endOfRest(text: string, at: number): number | undefined {
  const after = past(text, SPACES, at)
  if (after === text.length || text[after] === '#') return after
  return LINE_END.test(text.slice(at, after)) ? after : undefined
}

function bare(text: string, start: number): Found {
  const end = past(text, BARE, start)
  return { raw: text.slice(start, end), end }
}

/** Only double quotes know an escape, and only for the ends of lines; a backslash has none itself. */
function unquoted(raw: string): string {
  const quote = raw[0] ?? ''
  const closed = /['"`]/.test(quote) && raw.length > 1 && raw.endsWith(quote)
  const value = closed ? raw.slice(1, -1) : raw
  return quote === '"' ? value.replaceAll('\\n', '\n').replaceAll('\\r', '\r') : value
}

/** What is safe without quotes, in this format and for a shell. */
const SAFE = /^[\w./:@%+,=-]+$/

/**
 * `NAME=value` in the form that reads back as this value; undefined when there is none, since the
 * format has no way to write every text.
 */
export function envLine(name: string, value: string): string | undefined {
  const written = writtenValue(value)
  return written === undefined || !/^[\w.-]+$/.test(name) ? undefined : `${name}=${written}`
}

export function writtenValue(value: string): string | undefined {
  if (SAFE.test(value)) return value
  const escaped = value.replaceAll('\n', '\\n').replaceAll('\r', '\\r')
  const forms = [`"${value}"`, `'${value}'`, `\`${value}\``, `"${escaped}"`]
  return forms.find((form) => isClosed(form) && readsAs(form, value))
}

/** A backslash at the end would make the closing quote a part of the value, and lines after it too. */
function isClosed(form: string): boolean {
  const [quote] = form
  const inner = form.slice(1, -1)
  return !inner.endsWith('\\') && (!inner.includes(quote!) || !/[#\n]/.test(inner))
}

function readsAs(form: string, value: string): boolean {
  const { entries } = parseEnvFile(`A=${form}\nB=1\n`)
  return entries.length === 2 && entries[0]?.value === value
}
