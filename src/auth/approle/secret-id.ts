/**
 * A secret id as it is stored: under its digest, below the uid of its role. Nothing here can turn
 * an entry back into the secret id, and no entry can be reached through another role.
 */
import { type Call, collection, type EntryStore } from '../../kit/kit.ts'
import { uuid } from '../../lib/random.ts'
import { type Digests, digestsForWrite, digestsOf, sameDigest } from './digests.ts'

/** Entry `secret/<role uid>/<digest>`. Times are milliseconds since the epoch. */
export type SecretId = {
  /** The second half of the digest; the first is the entry's name. */
  proof: string
  accessor: string
  /** Logins left; 0 = any number, for an entry goes with its last one. */
  num_uses: number
  ttl_seconds: number
  created_at: number
  /** 0 = never. */
  expires_at: number
  updated_at: number
  metadata: Record<string, string>
  cidr_list: string[]
  token_bound_cidrs: string[]
}

/** Where an entry was found. */
export type Found = { readonly uid: string; readonly key: string; readonly entry: SecretId }

const secretIds = (uid: string) => collection<SecretId>(`secret/${uid}/`)
/** Which secret id an accessor is for: entry `accessor/<role uid>/<accessor>`. */
const accessors = (uid: string) => collection<{ key: string }>(`accessor/${uid}/`)

/** A uid no role has: a login to a missing role looks here, at the same cost as to a real one. */
const NOBODY = '00000000-0000-0000-0000-000000000000'
const UUID = /^[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12}$/

/** Stores a new secret id and returns its entry; undefined when the role has this one already. */
export async function addSecretId(
  call: Call<unknown>,
  to: { uid: string; secretId: string },
  entry: Omit<SecretId, 'proof' | 'accessor' | 'created_at' | 'updated_at'>,
): Promise<SecretId | undefined> {
  const digest = (await digestsForWrite(call)).secretId(to.uid, to.secretId)
  const before = await secretIds(to.uid).get(call.store, digest.key)
  if (before && isValid(before, call.now)) return undefined
  if (before) accessors(to.uid).remove(call.store, before.accessor)
  const accessor = uuid(call.random)
  const { now: created_at, now: updated_at } = call
  const added = { ...entry, proof: digest.proof, accessor, created_at, updated_at }
  secretIds(to.uid).put(call.store, digest.key, added)
  accessors(to.uid).put(call.store, accessor, { key: digest.key })
  return added
}

/**
 * The valid entry of a secret id. One that has expired is as good as none, whether or not a tidy
 * has come by. Without a role the same work is done and nothing found.
 */
export async function findSecretId(
  { store, now }: Pick<Call<unknown>, 'store' | 'now'>,
  uid: string | undefined,
  secretId: string,
): Promise<Found | undefined> {
  const digests: Digests = await digestsOf(store)
  const { key, proof } = digests.secretId(uid ?? NOBODY, secretId)
  const entry = await secretIds(uid ?? NOBODY).get(store, key)
  const same = sameDigest(entry?.proof ?? '', proof)
  return uid !== undefined && entry && same && isValid(entry, now) ? { uid, key, entry } : undefined
}

/** The valid entry an accessor is for, if it belongs to the role of this uid. */
export async function findByAccessor(
  { store, now }: Pick<Call<unknown>, 'store' | 'now'>,
  uid: string,
  accessor: string,
): Promise<Found | undefined> {
  // What the caller sent becomes part of a key only once it has the form of an accessor.
  if (!UUID.test(accessor)) return undefined
  const index = await accessors(uid).get(store, accessor)
  const entry = index && (await secretIds(uid).get(store, index.key))
  return entry && isValid(entry, now) ? { uid, key: index.key, entry } : undefined
}

export function accessorsOf(store: EntryStore, uid: string): Promise<string[]> {
  return accessors(uid).names(store)
}

/** Takes one login off a secret id that has a number of them; the last one removes it. */
export function useOnce({ store, now }: Pick<Call<unknown>, 'store' | 'now'>, found: Found): void {
  const { uid, key, entry } = found
  if (entry.num_uses === 0) return
  if (entry.num_uses === 1) return removeSecretId(store, found)
  secretIds(uid).put(store, key, { ...entry, num_uses: entry.num_uses - 1, updated_at: now })
}

export function removeSecretId(store: EntryStore, { uid, key, entry }: Found): void {
  secretIds(uid).remove(store, key)
  accessors(uid).remove(store, entry.accessor)
}

/** Removes all of a role's. */
export async function removeSecretIds(store: EntryStore, uid: string): Promise<void> {
  for (const key of await secretIds(uid).names(store)) secretIds(uid).remove(store, key)
  for (const accessor of await accessors(uid).names(store)) accessors(uid).remove(store, accessor)
}

/** Removes what has expired, of every role. Frees room only: no login depends on it. */
export async function removeExpired({ store, now }: Pick<Call<unknown>, 'store' | 'now'>) {
  for (const folder of await store.list('secret/')) {
    const uid = folder.slice(0, -1)
    for (const key of await secretIds(uid).names(store)) {
      const entry = await secretIds(uid).get(store, key)
      if (entry && !isValid(entry, now)) removeSecretId(store, { uid, key, entry })
    }
  }
}

function isValid(entry: SecretId, now: number): boolean {
  return entry.expires_at === 0 || now < entry.expires_at
}
