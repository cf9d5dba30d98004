/** The address blocks that roles and secret ids are bound to: their syntax, nesting and use. */
import { Failure, refuse } from '../../kit/kit.ts'
import { cidrContains, cidrSubset, parseCidr } from '../../lib/cidr.ts'

/** 400 unless every item is an address or a block. */
export function checkCidrs(cidrs: readonly string[]): void {
  try {
    for (const cidr of cidrs) parseCidr(cidr)
  } catch {
    refuse('failed to validate CIDR blocks: expected addresses or blocks such as 10.0.0.0/8')
  }
}

/** Whether all of a secret id's blocks lie inside the role's; a role without any allows all. */
export function isNested(ofSecretId: readonly string[], ofRole: readonly string[]): boolean {
  if (ofRole.length === 0) return true
  const outer = ofRole.map(parseCidr)
  return ofSecretId.map(parseCidr).every((inner) => outer.some((block) => cidrSubset(inner, block)))
}

/** 500 unless they do, as clients know it. */
export function checkNested(ofSecretId: readonly string[], ofRole: readonly string[]): void {
  if (isNested(ofSecretId, ofRole)) return
  throw new Failure(
    'internal',
    `CIDR blocks on the secret ID ${quoted(ofSecretId)} should be a subset of CIDR blocks on the` +
      ` role ${quoted(ofRole)}`,
    { wrapped: true },
  )
}

/** Whether the peer may come; no blocks means anyone may. */
export function withinCidrs(cidrs: readonly string[], address: string): boolean {
  return cidrs.length === 0 || cidrs.some((cidr) => cidrContains(parseCidr(cidr), address))
}

/** As Go prints a list of strings with `%q`. */
const quoted = (items: readonly string[]) =>
  `[${items.map((item) => JSON.stringify(item)).join(' ')}]`
