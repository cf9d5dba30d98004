/**
 * What hides values in audit lines: HMAC-SHA256 under the device's salt, strings exactly as Vault
 * hashes them so that `sys/audit-hash` and existing tools match. Numbers and booleans are hashed
 * too, under a typed form, so 1 and "1" differ.
 */
import { hmac } from '../crypto/hmac.ts'
import { isRawJson } from '../lib/json.ts'
import { JsonText } from '../kit/json-text.ts'

export type Hasher = {
  /** `hmac-sha256:<hex>` */
  hash(value: string): string
  /** JSON text of `value` with every leaf hashed, but for what stands under a clear key. */
  text(value: unknown, clear: ReadonlySet<string>): string
}

const MEMO_MAX = 4_000
const MEMO_CHARS_MAX = 4_096
const RFC3339 = /^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(?:\.\d+)?(?:Z|[+-]\d\d:\d\d)$/

export function hasher(salt: string): Hasher {
  const mac = hmac('sha256', Buffer.from(salt))
  // The same token, accessor and values come again and again; an HMAC costs 1 us, a look-up 0.1.
  let memo = new Map<string, string>()
  const texts = new WeakMap<JsonText, string>()

  function hash(value: string): string {
    const known = memo.get(value)
    if (known !== undefined) return known
    const made = `hmac-sha256:${mac(value, 'hex')}`
    if (value.length <= MEMO_CHARS_MAX) {
      if (memo.size >= MEMO_MAX) memo = new Map()
      memo.set(value, made)
    }
    return made
  }

  function leaf(value: unknown): string {
    if (typeof value === 'string') {
      // Times are facts about the log, not secrets, and Vault leaves them too.
      return RFC3339.test(value) ? JSON.stringify(value) : `"${hash(value)}"`
    }
    if (typeof value === 'number' || typeof value === 'boolean') {
      return `"${hash(`${typeof value}:${value}`)}"`
    }
    return isRawJson(value) ? `"${hash(`number:${value.rawJSON}`)}"` : 'null'
  }

  function hashed(value: unknown, clear: ReadonlySet<string>): string {
    if (Array.isArray(value)) return `[${value.map((item) => hashed(item, clear)).join(',')}]`
    if (typeof value !== 'object' || value === null || isRawJson(value)) return leaf(value)
    if (value instanceof JsonText) return hashed(value.value, clear)
    let text = ''
    for (const name of Object.keys(value)) {
      const item = (value as Record<string, unknown>)[name]
      if (item === undefined) continue
      text += text === '' ? '{' : ','
      text += `${JSON.stringify(name)}:`
      text += clear.has(name) ? JSON.stringify(item) : hashed(item, clear)
    }
    return text === '' ? '{}' : `${text}}`
  }

  return {
    hash,
    text(value, clear) {
      // A reply that is cached as text is hashed once, not at each read.
      if (!(value instanceof JsonText) || clear.size > 0) return hashed(value, clear)
      let text = texts.get(value)
      if (text === undefined) texts.set(value, (text = hashed(value, clear)))
      return text
    },
  }
}
