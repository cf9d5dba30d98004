/**
 * Which headers of requests stand in the audit log, and whether as HMACs. One table for the whole
 * server; until it is changed, it has what Vault starts with.
 *
 *   sys/audited-headers    {headers: {<lower-case name>: {hmac}}}
 */
import { type Hasher } from './audit-hash.ts'

export type AuditedHeaders = { headers: Record<string, { hmac: boolean }> }

export const AUDITED_HEADERS_PATH = 'sys/audited-headers'

export const DEFAULT_AUDITED_HEADERS: AuditedHeaders = {
  headers: {
    'correlation-id': { hmac: false },
    'user-agent': { hmac: false },
    'x-correlation-id': { hmac: false },
  },
}

/** What proves who someone is never stands in a log as it is, whatever the table says. */
const SECRET =
  /^(?:x-vault-token|x-vault-mfa|authorization|proxy-authorization|cookie|x-vault-inline-auth-.*)$/

/** Most headers are told apart from those of the table by their length alone. */
const lengths = new WeakMap<AuditedHeaders, ReadonlySet<number>>()

function lengthsOf(table: AuditedHeaders): ReadonlySet<number> {
  let known = lengths.get(table)
  if (!known) {
    known = new Set(Object.keys(table.headers).map((name) => name.length))
    lengths.set(table, known)
  }
  return known
}

/** `"headers":{…}` of an entry, or nothing: each with all of its values, in the request's order. */
export function headersPart(table: AuditedHeaders, raw: readonly string[], hasher: Hasher): string {
  const { headers } = table
  const known = lengthsOf(table)
  // Made when needed: most requests bring none of them.
  let found: Map<string, string[]> | undefined
  for (let i = 0; i < raw.length; i += 2) {
    if (!known.has(raw[i]!.length)) continue
    const name = raw[i]!.toLowerCase()
    const audited = Object.hasOwn(headers, name) ? headers[name] : undefined
    if (!audited) continue
    const value = audited.hmac || SECRET.test(name) ? hasher.hash(raw[i + 1]!) : raw[i + 1]!
    found ??= new Map()
    const values = found.get(name)
    if (values) values.push(value)
    else found.set(name, [value])
  }
  if (!found) return ''
  const parts = [...found].map(
    ([name, values]) => `${JSON.stringify(name)}:${JSON.stringify(values)}`,
  )
  return `"headers":{${parts.join(',')}}`
}
