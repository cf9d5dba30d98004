/**
 * Statements that an operator writes, with `{{name}}`, `{{username}}`, `{{password}}` and
 * `{{expiration}}` in them. They are cut at each `;` that is no part of a text, and a value is put in
 * as the place it stands in demands: what a name brings can never end the quotes around it.
 */

/** What a database's language is like, as far as quotes go. */
export type Dialect = {
  /** `$$ … $$` quotes, and a backslash is a plain character but in E'…'. */
  readonly dollars: boolean
  /** `name` in backticks, "text" in double quotes, and a backslash escapes. */
  readonly backticks: boolean
}
export const POSTGRES: Dialect = { dollars: true, backticks: false }
export const MYSQL: Dialect = { dollars: false, backticks: true }

export type Values = Readonly<Record<string, string>>

/** A statement cannot be used; the text never holds a value. */
export class StatementError extends Error {
  override readonly name = 'StatementError'
}

/** Text with the same quotes around all of it: '' = none. */
type Piece = { quote: string; text: string }

/** The statements of all texts, each with its values put in. */
export function statementsOf(texts: readonly string[], values: Values, dialect: Dialect): string[] {
  return texts
    .flatMap(unpacked)
    .flatMap((text) => split(text, dialect).map((pieces) => filled(pieces, values, dialect)))
}

/** A text may be a list in JSON, and either may be in base64, as clients of Vault send them. */
function unpacked(text: string): string[] {
  const whole = text.trim()
  if (/^(?:[A-Za-z0-9+/]{4}){4,}(?:[A-Za-z0-9+/]{2}==|[A-Za-z0-9+/]{3}=)?$/.test(whole)) {
    return unpacked(Buffer.from(whole, 'base64').toString('utf8'))
  }
  if (!whole.startsWith('[')) return [text]
  let list: unknown
  try {
    list = JSON.parse(whole)
  } catch {
    return [text]
  }
  const texts = Array.isArray(list) && list.every((one) => typeof one === 'string')
  return texts ? (list as string[]) : [text]
}

/** Statements as pieces; empty ones are left out. */
function split(text: string, dialect: Dialect): Piece[][] {
  const all: Piece[][] = []
  let pieces: Piece[] = []
  let plain = ''
  const endPlain = () => {
    if (plain !== '') pieces.push({ quote: '', text: plain })
    plain = ''
  }
  const endStatement = () => {
    endPlain()
    if (pieces.some((piece) => piece.text.trim() !== '')) all.push(pieces)
    pieces = []
  }
  for (let at = 0; at < text.length;) {
    const rest = text.slice(at)
    const comment = /^(?:--[^\n]*|\/\*[\s\S]*?\*\/)/.exec(rest)?.[0]
    const opening = comment === undefined ? quoteAt(rest, plain, dialect) : undefined
    if (comment !== undefined) {
      plain += ' '
      at += comment.length
    } else if (opening) {
      endPlain()
      const end = endOf(rest, opening)
      pieces.push({ quote: opening.quote, text: rest.slice(0, end) })
      at += end
    } else if (rest.startsWith(';')) {
      endStatement()
      at++
    } else {
      plain += rest[0]
      at++
    }
  }
  endStatement()
  return all
}

type Opening = { quote: string; closes: string; escapes: boolean }

function quoteAt(rest: string, before: string, dialect: Dialect): Opening | undefined {
  const first = rest[0]!
  if (first === "'") {
    const escapes = dialect.backticks || /(?:^|[^\w$])[eE]$/.test(before)
    return { quote: escapes ? "\\'" : "'", closes: "'", escapes }
  }
  if (first === '"') {
    const escapes = dialect.backticks
    return { quote: escapes ? '\\"' : '"', closes: '"', escapes }
  }
  if (first === '`' && dialect.backticks) return { quote: '`', closes: '`', escapes: false }
  const dollar = dialect.dollars && /^\$(?:[A-Za-z_]\w*)?\$/.exec(rest)?.[0]
  return dollar ? { quote: '$', closes: dollar, escapes: false } : undefined
}

/** Where the quoted text ends, closing quote included. A doubled quote goes on. */
function endOf(rest: string, { closes, escapes }: Opening): number {
  for (let at = closes.length; at < rest.length; at++) {
    if (escapes && rest[at] === '\\') at++
    else if (rest.startsWith(closes, at)) {
      const doubled = closes.length === 1 && rest[at + 1] === closes
      if (!doubled) return at + closes.length
      at++
    }
  }
  throw new StatementError('a quote in a statement is not closed')
}

const SLOT = /\{\{\s*([\w-]+)\s*\}\}/g
/** What can neither end a quote nor be a command, wherever it stands. */
const HARMLESS = /^[\w.:+/=@$ -]*$/
const IDENTIFIER = /^[A-Za-z_][\w$]*$/

function filled(pieces: readonly Piece[], values: Values, dialect: Dialect): string {
  const text = pieces
    .map((piece) =>
      piece.text.replace(SLOT, (whole, name: string) => {
        const value = Object.hasOwn(values, name) ? values[name]! : undefined
        return value === undefined ? whole : inPlace(value, { name, quote: piece.quote, dialect })
      }),
    )
    .join('')
  return text.trim()
}

type Place = { name: string; quote: string; dialect: Dialect }

function inPlace(value: string, { name, quote, dialect }: Place): string {
  if (!isTellable(value)) throw new StatementError(`the value for {{${name}}} is no text`)
  switch (quote) {
    case "'":
    case '"':
    case '`':
      return value.replaceAll(quote, quote + quote)
    case "\\'":
    case '\\"':
      return value.replaceAll('\\', '\\\\').replaceAll(quote[1]!, quote[1]! + quote[1]!)
    case '$':
      if (HARMLESS.test(value) && !value.includes('$$')) return value
      throw new StatementError(`the value for {{${name}}} may not stand between dollar quotes`)
    default:
      if (IDENTIFIER.test(value)) return value
      throw new StatementError(
        `{{${name}}} must stand in quotes${dialect.backticks ? '' : ': "…" for a name'}`,
      )
  }
}

/** Half a pair of UTF-16 becomes another character on its way; a NUL ends a text early. */
export const isTellable = (name: string): boolean => !name.includes('\0') && name.isWellFormed()

/** A name in double quotes, as PostgreSQL takes it. */
export const quotedName = (name: string): string => `"${noNul(name).replaceAll('"', '""')}"`

/** A text in single quotes, as PostgreSQL takes it whatever its settings. */
export function quotedText(text: string): string {
  const plain = noNul(text).replaceAll("'", "''")
  return plain.includes('\\') ? ` E'${plain.replaceAll('\\', '\\\\')}'` : `'${plain}'`
}

function noNul(text: string): string {
  if (!isTellable(text)) throw new StatementError('a name may not have a NUL in it')
  return text
}
