/**
 * The rotated fields of a secret, as they stand among its others. A rotation writes a version like
 * anybody else; what it does not rotate stays as it was.
 */
import { type EntryStore, Failure } from '../../../kit/kit.ts'
import { type Credential, type Generation } from '../../../kit/rotation.ts'
import { isObject, parseJson } from '../../../lib/json.ts'
import { systemRandom } from '../../../lib/random.ts'
import { getConfig } from '../config.ts'
import { getKey, takeKey } from '../find-key.ts'
import {
  addVersion,
  getSecret,
  isDeleted,
  type Key,
  newKey,
  newUid,
  putKey,
  type Rotated,
} from '../key.ts'

/** What a rotation of a secret serves: the fields, and of some kinds the name of a key elsewhere. */
export type FieldsCredential = {
  readonly fields: Readonly<Record<string, string>>
  /** What another server calls it. */
  readonly id?: string
  /** What we have called it there before we knew its id. */
  readonly label?: string
}

export const fieldsOf = (credential: Credential): FieldsCredential =>
  credential as unknown as FieldsCredential

/** The secret as it can be read now; undefined = there is none, or it is deleted. */
export async function newestData(
  store: Pick<EntryStore, 'get'>,
  path: string,
  now: number,
): Promise<{ key: Key; data: Record<string, unknown> } | undefined> {
  const key = await getKey(store, path)
  const about = key?.versions[key.current]
  if (!key || !about || about.destroyed || isDeleted(about, now)) return undefined
  const data = parseJson((await getSecret(store, key, key.current)).data)
  return isObject(data) ? { key, data } : undefined
}

/** The part of a rotation's `publish` that all kinds share. */
export function publishFields(kind: string) {
  return async (store: EntryStore, path: string, served: Generation, now: number) => {
    const { number, credential } = served
    const { fields } = fieldsOf(credential)
    const before = await newestData(store, path, now)
    const taken = await takeKey({ store, random: systemRandom }, path)
    const key = taken ?? newKey(now, newUid(systemRandom))
    const rotation: Rotated = {
      kind,
      fields: Object.keys(fields),
      generations: key.rotation?.generations ?? {},
    }
    // What is there already is only marked: the first generation of a secret that was imported.
    if (before && number === key.current && holds(before.data, fields)) {
      const generations = { ...rotation.generations, [key.current]: number }
      putKey(store, path, { ...key, rotation: { ...rotation, generations } })
      return
    }
    // Version and generation have the same number, unless somebody has written in between.
    const current = Math.max(key.current, number - 1)
    const text = JSON.stringify({ ...before?.data, ...fields })
    const config = await getConfig(store)
    addVersion(store, path, {
      key: { ...key, current, rotation },
      config,
      text,
      now,
      generation: number,
    })
  }
}

/** The secret stays, and is nobody's but its writers' again. */
export async function unmark(store: EntryStore, path: string): Promise<void> {
  const key = await takeKey({ store, random: systemRandom }, path)
  if (!key?.rotation) return
  const { rotation: _, ...rest } = key
  putKey(store, path, rest)
}

const holds = (data: Record<string, unknown>, fields: Readonly<Record<string, string>>) =>
  Object.entries(fields).every(([name, value]) => data[name] === value)

/** Refuses a write by hand that would change what a rotation serves. */
export async function checkRotated(
  store: EntryStore,
  key: Key,
  written: Readonly<Record<string, unknown>>,
): Promise<void> {
  const { rotation } = key
  const about = key.versions[key.current]
  if (!rotation || !about || about.destroyed) return
  const served = parseJson((await getSecret(store, key, key.current)).data) as Record<
    string,
    unknown
  >
  const changed = rotation.fields.find((name) => served[name] !== written[name])
  if (changed === undefined) return
  throw new Failure(
    'bad_request',
    `the field "${changed}" of this secret is rotated: patch the others, or rotate it`,
  )
}
