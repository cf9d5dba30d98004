/**
 * What tokens look like, and how one is recognised without storing it.
 *
 *   service   hvs. ‖ accessor (24, base62) ‖ base64url(secret (48) ‖ CRC-32 (4))      98 characters
 *   root      hvs. ‖ 24 base62                          also what a generated root token is
 *   batch     hvb. ‖ base64url(AES-GCM(claims))         nothing is stored
 *
 * The accessor inside a service token says where its entry lies (one record serves both look-ups);
 * the secret is proven by a keyed digest. The CRC lets a scanner tell a token from noise. Tokens and
 * accessors of a namespace have `.<its id>` behind them.
 */
import { timingSafeEqual } from 'node:crypto'
import { crc32 } from 'node:zlib'
import { open, seal } from '../crypto/aead.ts'
import { type Hmac } from '../crypto/hmac.ts'
import { base62 } from '../lib/base62.ts'
import { type Random } from '../lib/random.ts'

const ACCESSOR_CHARS = 24
const SECRET_BYTES = 48
const CRC_BYTES = 4
const SUFFIX = '(?:\\.[0-9A-Za-z]{1,16})?'
const SERVICE = new RegExp(`^hvs\\.([0-9A-Za-z]{${ACCESSOR_CHARS}})[\\w-]{70}(${SUFFIX})$`)
const ACCESSOR = new RegExp(`^[0-9A-Za-z]{${ACCESSOR_CHARS}}${SUFFIX}$`)
const BATCH_CONTEXT = 'coffer/batch-token/v1'

export function newServiceToken(accessor: string, random: Random): string {
  const secret = random(SECRET_BYTES)
  const tail = Buffer.alloc(CRC_BYTES)
  tail.writeUInt32BE(crc32(Buffer.concat([Buffer.from(accessor), secret])))
  return `hvs.${accessor}${Buffer.concat([secret, tail]).toString('base64url')}`
}

export const newAccessor = (random: Random) => base62(ACCESSOR_CHARS, random)
export const newRootToken = (random: Random) => `hvs.${base62(24, random)}`

/** The accessor a service token carries; undefined for root, custom and foreign ids. */
export function accessorOf(token: string): string | undefined {
  const found = SERVICE.exec(token)
  return found ? found[1]! + found[2]! : undefined
}

export const isAccessor = (text: string): boolean => ACCESSOR.test(text)

/** The id of the namespace behind a token or an accessor; undefined = the root's. */
export function namespaceIdOf(id: string): string | undefined {
  const dot = id.indexOf('.', /^(?:hv[sb]|[sb])\./.exec(id)?.[0].length ?? 0)
  return dot < 0 ? undefined : id.slice(dot + 1)
}

/** The digest a token is proven by. */
export const tokenDigest = (mac: Hmac, token: string): string => mac(token, 'base64url')

export function sameDigest(a: string, b: string): boolean {
  const [left, right] = [Buffer.from(a), Buffer.from(b)]
  return left.length === right.length && timingSafeEqual(left, right)
}

export function sealBatchToken(key: Uint8Array, claims: object): string {
  const sealed = seal(key, Buffer.from(JSON.stringify(claims)), { context: BATCH_CONTEXT })
  return `hvb.${sealed.toString('base64url')}`
}

/** The claims of a batch token, or undefined when it is not one of ours. */
export function openBatchToken(key: Uint8Array, token: string): object | undefined {
  if (!token.startsWith('hvb.')) return undefined
  try {
    const sealed = token.slice(4).split('.', 1)[0]!
    const plain = open(key, Buffer.from(sealed, 'base64url'), { context: BATCH_CONTEXT })
    return JSON.parse(plain.toString('utf8')) as object
  } catch {
    return undefined
  }
}
