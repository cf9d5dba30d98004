/**
 * Whether a value that is assigned to a name such as `password` or `apiToken` is a secret. No form
 * of a provider helps here, so the name, the syntax around and the value itself must all agree.
 */
import type { Assigned } from './assignment.ts'
import { readability } from './letter-pairs.ts'
import { isPublished } from './published.ts'
import { distinct, entropy, isAlgorithm, isMashed, isPlaceholder, isSequence } from './value.ts'

/** How much a name promises: people choose passwords, machines make tokens, many things are keys. */
export type Promise = 'password' | 'token' | 'key'

/** Names that speak of a secret without holding one: its place, kind, rules, look. */
const ABOUT =
  /public|csrf|xsrf|recv-?key|author(?!iz|is)|tokeniz|mock|fake|dummy|example|placeholder|sample|keyboard|keyword|keyframe|keycode|monkey|turkey|hotkey|primary_?key|foreign_?key|sort_?key|partition_?key|cache_?key|object_?key|idempotency|passive|compass|bypass|passenger|passage/i
const TAIL =
  /(?:id|ids|name|names|url|uri|path|paths|file|filename|dir|type|types|field|fields|label|text|title|hint|help|message|msg|error|errors|regex|regexp|pattern|prefix|suffix|length|size|count|min|max|policy|policies|digest|checksum|fingerprint|hash|hashes|ref|reference|format|class|header|headers|param|params|parameter|version|expiry|expires|expiration|ttl|env|var|variable|algorithm|algo|mode|store|storage|provider|endpoint|host|index|position|kind|scope|scopes|status|state|desc|description|selector|input|button|icon|color|style|schema|column|table|role|group|rotation|strategy|source|location|arn|enabled|required|valid|limit|usage|comment)s?$/i

export function isSecretLike(value: string, promise: Promise, at: Assigned): boolean {
  const name = at.text.slice(at.nameStart, at.nameEnd)
  if (ABOUT.test(name) || TAIL.test(name)) return false
  if (value.length < (promise === 'key' ? 15 : promise === 'token' ? 10 : 8)) return false
  if (isPlaceholder(value) || isSequence(value) || isAlgorithm(value) || isCode(value, at))
    return false
  if (isPublished(value) || holdsPlaceholder(value) || STRICT.test(name)) return false
  if (promise === 'password') return isPassword(value)
  return isToken(value, promise)
}

/** Services whose tokens have one form only: theirs is the rule that decides. */
export const STRICT = /label_?studio|sonar/i

/** A placeholder in base 64, or the header of a signed token whose rest was cut off for show. */
export function holdsPlaceholder(value: string): boolean {
  if (!/^[A-Za-z0-9+/_-]{16,}={0,2}$/.test(value)) return false
  const text = Buffer.from(value, 'base64').toString('latin1')
  if (!/^[\x20-\x7e\s]+$/.test(text)) return text.startsWith('{"alg"') && !value.includes('.')
  // Words in base 64, and nothing else.
  if (/^[A-Za-z ]+$/.test(text)) return true
  return isPlaceholder(text.trim()) || text.includes('12345') || text.startsWith('{"alg"')
}

/** Expressions, paths, addresses, versions, dates: what else stands behind an equals sign. */
function isCode(value: string, at: Assigned): boolean {
  if (/^(?:https?|file|ftp|wss?|data|urn|s3|gs):|^[./~\\]|^#!|^[@#]\w+[./]|:\/\//.test(value))
    return true
  if (/^[\d.,:/ _-]+$/.test(value)) return true
  // A pattern: `(?<password>[^@]{1,200})`.
  if (/\[\^|\]\{|\][+*?]|\\[swdS]|\(\?/.test(value)) return true
  // A name of several parts: `gss_krb5_rfc1964_keydata`, `utf-8-bom-only`.
  if (/^[a-z0-9]{1,14}(?:[_-][a-z0-9]{1,14}){2,}$/.test(value) && readability(value) > -5)
    return true
  if (
    /^[a-z][a-z0-9]*(?:_[a-z][a-z0-9]*){3,}$/.test(value) &&
    readability(value) * 3 > -value.length
  )
    return true
  // The token of a badge is in the page that shows the badge.
  if (at.text.slice(at.nameStart - 5, at.nameStart) === '.svg?') return true
  if (/^\d{4}-\d\d-\d\d|^v?\d+\.\d+\.\d+|^sha\d{1,3}[-:]|^\$\d?[a-z]?\$/.test(value)) return true
  if (at.quote !== '') return false
  const after = at.text.charCodeAt(at.end)
  // An argument list, a subscript, a member or a template right behind: this is an expression.
  if (after === 40 || after === 91 || after === 123 || after === 96) return true
  return /^[A-Za-z_$][\w$]*(?:\.[A-Za-z_$][\w$]*)+$/.test(value) && readability(value) > -5
}

/** Chosen by people or by their managers: of several kinds of characters, and no word alone. */
function isPassword(value: string): boolean {
  if (value.length > 128 || distinct(value) < 6) return false
  const kinds = kindsOf(value)
  const words = readability(value)
  const common = /passw(?:or)?d|secret|token|admin|test|user|login|hello|welcome|letmein|12345/i
  if (common.test(value) && value.length < 20) return false
  if (kinds === 4) return words < value.length
  if (kinds === 3) return words < value.length / 2
  if (kinds === 2 && /\d/.test(value)) return words < 0
  return kinds === 2 && value.length >= 12 && words < -10
}

/** Made by machines: letters and digits that follow no language. */
export function isToken(value: string, promise: Promise): boolean {
  if (/[^\x21-\x7e]/.test(value) || distinct(value) < 8 || isMashed(value)) return false
  const bits = entropy(value)
  if (bits < Math.min(3.2, Math.log2(value.length) * 0.72)) return false
  // The letters of hex are too few to read like words.
  if (/^[a-f0-9]{32,}$/i.test(value)) return promise === 'token' || value.length >= 40
  const words = readability(value)
  const digits = value.match(/\d/g)?.length ?? 0
  if (digits === 0) return isLettersAtRandom(value, words)
  const limit = promise === 'key' ? -value.length / 6 : value.length < 16 ? 0 : value.length / 8
  return words < limit && !isUuidOfKey(value, promise)
}

/**
 * Letters alone: random ones read less like words with every pair. Without a figure and in one case there
 * is less to go by, so more of them are asked for.
 */
function isLettersAtRandom(value: string, words: number): boolean {
  if (kindsOf(value) >= 2 && value.length >= 16 && words < -10) return true
  return /^[A-Za-z]+$/.test(value) && value.length >= 14 && words < -1.1 * value.length
}

const isUuidOfKey = (value: string, promise: Promise) =>
  promise === 'key' && /^[0-9a-f]{8}-[0-9a-f]{4}-/i.test(value)

function kindsOf(value: string): number {
  return [/[a-z]/, /[A-Z]/, /\d/, /[^A-Za-z0-9]/].filter((kind) => kind.test(value)).length
}
