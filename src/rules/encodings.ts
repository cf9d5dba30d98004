/**
 * The forms in which one value turns up in a log: as it is, escaped, percent-encoded, in hex, in
 * base64 at each of the three ways it can lie in a longer text, in UTF-16. Several lines are looked
 * for one by one as well, and so are the texts inside a value that is JSON.
 */

/** Shorter forms would match by chance. */
export const FORM_BYTES_MIN = 6
const BASE64_CHARS_MIN = 8
/** Longer ones are looked for in pieces, so that a stream need not hold back more than this. */
export const FORM_BYTES_MAX = 4096
/** A line or a leaf of a value is a value of its own when it is not too short to mean something. */
const PART_CHARS_MIN = 8
const LEAVES_MAX = 1000

/**
 * All forms of `value`, each as the bytes that would be in a log; none twice. Of its lines and leaves
 * only those that `accepts` takes.
 */
export function formsOf(value: string, accepts: (part: string) => boolean = () => true): Buffer[] {
  const found = new Map<string, Buffer>()
  const add = (form: Buffer) => {
    for (let at = 0; at < form.length; at += FORM_BYTES_MAX) {
      const piece = form.subarray(at, at + FORM_BYTES_MAX)
      if (piece.length >= FORM_BYTES_MIN) found.set(piece.toString('latin1'), piece)
    }
  }
  for (const text of partsOf(value)) {
    if (text !== value && !accepts(text)) continue
    const bytes = Buffer.from(text)
    for (const form of textForms(text)) add(Buffer.from(form))
    for (const form of base64Forms(bytes)) add(Buffer.from(form, 'latin1'))
    const hex = bytes.toString('hex')
    add(Buffer.from(hex))
    add(Buffer.from(hex.toUpperCase()))
    const wide = Buffer.from(text, 'utf16le')
    add(wide)
    add(Buffer.from(wide).swap16())
  }
  return [...found.values()]
}

/** The value, its lines where it has several, and the texts in it where it is JSON. */
function partsOf(value: string): Set<string> {
  const parts = new Set([value])
  const lines = value.split(/\r\n|[\r\n]/)
  if (lines.length > 1) for (const line of lines) addPart(parts, line.trim())
  if (/^\s*[[{]/.test(value)) for (const leaf of leavesOf(value)) addPart(parts, leaf)
  return parts
}

function addPart(parts: Set<string>, part: string): void {
  // The first and last line of a key are the same in every key.
  if (part.length >= PART_CHARS_MIN && !/^-{3,}[A-Z0-9 ]+-{3,}$/.test(part)) parts.add(part)
}

function leavesOf(json: string): string[] {
  const leaves: string[] = []
  try {
    JSON.parse(json, (_key, leaf: unknown) => {
      if (typeof leaf === 'string' && leaves.length < LEAVES_MAX) leaves.push(leaf)
      return leaf
    })
  } catch {
    return []
  }
  // A user name or a region is no secret because it stands beside one.
  return leaves.filter((leaf) => /\d/.test(leaf) || /[a-z].*[A-Z]|[A-Z].*[a-z]/.test(leaf))
}

/** As text, with what different writers do to quotes, controls and what is not ASCII. */
function textForms(text: string): string[] {
  const strict = percentEncoded(text).replace(/[-_.!~*'()]/g, escapeByte)
  // Nothing else in it that anybody would escape: most keys and tokens.
  if (/^[\w.-]*$/.test(text)) return [text, strict, lowerEscapes(strict)]
  const json = JSON.stringify(text).slice(1, -1)
  const ascii = json.replace(/[^ -~]/g, escapeUnit)
  const percent = percentEncoded(text)
  return [
    text,
    json,
    JSON.stringify(json).slice(1, -1),
    ascii,
    ascii.replace(/\\u[0-9a-f]{4}/g, (escape) => `\\u${escape.slice(2).toUpperCase()}`),
    json.replaceAll('/', '\\/'),
    // PHP and Go write some of these in hex.
    json.replace(/[<>&'+]/g, escapeUnit),
    json.replace(/[<>&]/g, escapeUnit),
    text.replaceAll('\\', '\\\\').replaceAll("'", "\\'"),
    text.replaceAll("'", String.raw`'\''`),
    text.replaceAll("'", String.raw`'"'"'`),
    text.replace(/["$`\\!]/g, String.raw`\$&`),
    text.replace(/[^\w@%+=:,./-]/g, String.raw`\$&`),
    percent,
    percent.replaceAll('%20', '+'),
    lowerEscapes(percent),
    lowerEscapes(percent).replaceAll('%20', '+'),
    percent.replace(/[!'()*]/g, escapeByte),
    strict,
    encodeURI(text.toWellFormed()),
    percentEncoded(percent),
    html(text),
    html(text).replaceAll('&#39;', '&apos;').replaceAll('&#34;', '&quot;'),
    html(text).replaceAll('&#39;', '&#x27;').replaceAll('&#34;', '&quot;'),
    text.replace(/[<>&]/g, (char) => HTML[char]!),
  ]
}

const escapeUnit = (char: string) => `\\u${char.charCodeAt(0).toString(16).padStart(4, '0')}`
const escapeByte = (char: string) => `%${char.charCodeAt(0).toString(16).toUpperCase()}`
const lowerEscapes = (text: string) =>
  text.replace(/%[0-9A-F]{2}/g, (escape) => escape.toLowerCase())
const percentEncoded = (text: string) => encodeURIComponent(text.toWellFormed())

const HTML: Record<string, string> = {
  '<': '&lt;',
  '>': '&gt;',
  '&': '&amp;',
  '"': '&#34;',
  "'": '&#39;',
}
const html = (text: string) => text.replace(/[<>&"']/g, (char) => HTML[char]!)

/**
 * What base64 makes of the bytes wherever they lie in a longer text: at an offset of 0, 1 or 2 bytes
 * into a group of three. Characters that also carry bits of a neighbour are left off.
 */
function* base64Forms(bytes: Buffer): Generator<string> {
  for (const shift of [0, 1, 2]) {
    const whole = Buffer.concat([Buffer.alloc(shift), bytes]).toString('base64')
    const first = [0, 2, 3][shift]!
    const bits = (shift + bytes.length) * 8
    const text = whole.slice(first, Math.floor(bits / 6))
    if (text.length < BASE64_CHARS_MIN) continue
    yield text
    yield text.replaceAll('+', '-').replaceAll('/', '_')
  }
}
