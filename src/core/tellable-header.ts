/**
 * The headers an engine may see: those that a login or a protocol needs, and those that the mount was
 * tuned to pass on; never one that carries a token or a second factor of ours.
 */

const SECRET = new Set(['x-vault-token', 'x-vault-mfa', 'cookie'])
const SECRET_PREFIX = 'x-vault-inline-auth-'

/**
 * Without being asked for: what an answer should look like, and proofs that are not tokens
 * (`Negotiate` of Kerberos, `Basic` of an OIDC client).
 */
const ALWAYS = new Set(['accept', 'authorization', 'content-type', 'if-modified-since'])

/** From node's flat list (name, value, name, value …), by the name in lower case. */
export function tellableHeader(
  raw: readonly string[],
  name: string,
  passed: readonly string[] = [],
): string | undefined {
  if (SECRET.has(name) || name.startsWith(SECRET_PREFIX)) return undefined
  if (!ALWAYS.has(name) && !passed.some((each) => each.toLowerCase() === name)) return undefined
  for (let i = 0; i < raw.length; i += 2) {
    if (raw[i]!.toLowerCase() !== name) continue
    const value = raw[i + 1]!
    // `Bearer` is a token of ours; other kinds of authorization are a login's own matter.
    if (name === 'authorization' && value.startsWith('Bearer ')) continue
    return value
  }
  return undefined
}
