/**
 * How role ids and secret ids become storage keys. They are never stored or looked up as they are,
 * only as HMACs under a salt that the mount makes for itself, so neither what is stored nor the
 * time a lookup takes says anything about them.
 */
import { timingSafeEqual } from 'node:crypto'
import { hmac } from '../../crypto/hmac.ts'
import { type Call, type EntryStore } from '../../kit/kit.ts'

/** `key` names the entry; `proof` is the other half of the digest and must equal what it holds. */
export type SecretIdDigest = { readonly key: string; readonly proof: string }

export type Digests = {
  roleId(roleId: string): string
  /** Bound to the role's uid, so one value under two roles leaves no two equal digests. */
  secretId(uid: string, secretId: string): SecretIdDigest
}

const SALT_KEY = 'salt'
const SALT_BYTES = 32
type Salt = { salt: string }

/** For lookups; a mount without a salt gets digests that match nothing. */
export async function digestsOf(store: EntryStore): Promise<Digests> {
  const entry = await store.get<Salt>(SALT_KEY)
  return entry ? ofSalt(entry) : NO_DIGESTS
}

/** For writes; makes the mount's salt when it has none, in this same write. */
export async function digestsForWrite({
  store,
  random,
}: Pick<Call<unknown>, 'store' | 'random'>): Promise<Digests> {
  const entry = await store.get<Salt>(SALT_KEY)
  if (entry) return ofSalt(entry)
  const salt = random(SALT_BYTES)
  store.put(SALT_KEY, { salt: salt.toString('hex') })
  return under(salt)
}

/** Compares without a hint of where two digests begin to differ. */
export function sameDigest(left: string, right: string): boolean {
  const [a, b] = [Buffer.from(left, 'hex'), Buffer.from(right, 'hex')]
  return a.length === b.length && timingSafeEqual(a, b)
}

const known = new WeakMap<Salt, Digests>()

/** The entry is the same object while it has not changed. */
function ofSalt(entry: Salt): Digests {
  let digests = known.get(entry)
  if (!digests) known.set(entry, (digests = under(Buffer.from(entry.salt, 'hex'))))
  return digests
}

/** Space around an id is never part of it: a login trims it, so every other way in must too. */
function under(salt: Buffer): Digests {
  const mac = hmac('sha512', salt)
  const digest = (kind: string, id: string) => mac(`${kind}\0${id.trim()}`, 'hex')
  return {
    roleId: (roleId) => digest('role-id', roleId).slice(0, 64),
    secretId(uid, secretId) {
      const both = digest(`secret-id\0${uid}`, secretId)
      return { key: both.slice(0, 64), proof: both.slice(64) }
    },
  }
}

/** Stand in while a mount has no salt, and therefore no role: the same work, and never a hit. */
const NO_DIGESTS = under(Buffer.alloc(SALT_BYTES))
