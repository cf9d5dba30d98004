/**
 * Wrapping tokens as JWTs, for who asks with `X-Vault-Wrap-Format: jwt`: the token is the `jti`, signed
 * with ES512 by a key of this server, so that whoever is handed one can tell, by the public key, that
 * it is one of ours, how long it lives and where it is opened. It opens like the token it carries.
 */
import { createPrivateKey, createPublicKey, generateKeyPairSync, type KeyObject } from 'node:crypto'
import { sign, verify } from 'node:crypto'
import { type Tx } from '../barrier/space.ts'
import { isObject, parseJson } from '../lib/json.ts'

type Stored = { pkcs8: string }
const PATH = 'core/wrapping-jwt'
/** Of ES512: the two numbers of the signature side by side. */
const ENCODING = { dsaEncoding: 'ieee-p1363' } as const

const keys = new WeakMap<Stored, KeyObject>()

async function keyOf(tx: Tx): Promise<KeyObject | undefined> {
  const stored = await tx.get<Stored>(PATH)
  if (!stored) return undefined
  let key = keys.get(stored)
  if (!key) {
    key = createPrivateKey({
      key: Buffer.from(stored.pkcs8, 'base64'),
      format: 'der',
      type: 'pkcs8',
    })
    keys.set(stored, key)
  }
  return key
}

/** Made when it is first asked for. */
async function ownKey(tx: Tx): Promise<KeyObject> {
  const known = await keyOf(tx)
  if (known) return known
  const { privateKey } = generateKeyPairSync('ec', { namedCurve: 'secp521r1' })
  const pkcs8 = privateKey.export({ format: 'der', type: 'pkcs8' }).toString('base64')
  tx.put(PATH, { pkcs8 } satisfies Stored)
  return privateKey
}

const part = (value: object) => Buffer.from(JSON.stringify(value)).toString('base64url')

export type WrappedClaims = {
  id: string
  /** Of the token inside. */
  accessor: string | undefined
  /** Of this server; '' = it was not told. */
  address: string
  ttlSeconds: number
  now: number
}

export async function signedToken(tx: Tx, claims: WrappedClaims): Promise<string> {
  const issued = Math.floor(claims.now / 1000)
  const payload = {
    ...(claims.accessor !== undefined && { accessor: claims.accessor }),
    addr: claims.address,
    exp: issued + claims.ttlSeconds,
    iat: issued,
    jti: claims.id,
    type: 'wrapping',
  }
  const text = `${part({ alg: 'ES512', typ: 'JWT' })}.${part(payload)}`
  const signature = sign('sha512', Buffer.from(text), { key: await ownKey(tx), ...ENCODING })
  return `${text}.${signature.toString('base64url')}`
}

const FORM = /^(eyJ[\w-]{1,200})\.(eyJ[\w-]{1,2000})\.([\w-]{176})$/

/** The token inside when it is such a JWT of ours, what was given when it is no JWT, or undefined. */
export function tokenInside(tx: Tx, given: string): string | Promise<string | undefined> {
  return given.startsWith('eyJ') ? opened(tx, given) : given
}

async function opened(tx: Tx, given: string): Promise<string | undefined> {
  const [, header, payload, signature] = FORM.exec(given) ?? []
  const key = await keyOf(tx)
  if (!key || header !== part({ alg: 'ES512', typ: 'JWT' })) return undefined
  const genuine = verify(
    'sha512',
    Buffer.from(`${header}.${payload}`),
    { key: createPublicKey(key), ...ENCODING },
    Buffer.from(signature!, 'base64url'),
  )
  if (!genuine) return undefined
  // It was made here. That it has not ended, the token itself knows.
  const claims = parseJson(Buffer.from(payload!, 'base64url').toString())
  if (!isObject(claims) || claims['type'] !== 'wrapping') return undefined
  return typeof claims['jti'] === 'string' ? claims['jti'] : undefined
}

/** The public key in Vault's form: the point in decimal. */
export async function wrappingPublicKey(tx: Tx): Promise<Record<string, string>> {
  const { x, y } = createPublicKey(await ownKey(tx)).export({ format: 'jwk' })
  const decimal = (coordinate: unknown) =>
    BigInt(`0x${Buffer.from(String(coordinate), 'base64url').toString('hex')}`).toString()
  return { jwt_x: decimal(x), jwt_y: decimal(y), jwt_curve: 'P-521' }
}
