/**
 * A key of the versioned store, as it is kept: one entry of metadata that names every version, and
 * one entry per version with the secret's JSON text.
 *
 *   metadata/<path>        { uid, current, oldest, …, versions: { "3": { created, deletion, … } } }
 *   versions/<uid>/<n>     { data: "{\"password\":…}" }
 *
 * The uid is random and new with every metadata entry, so that no path a user picks can reach
 * another key's versions, and a key that is made anew never sees what an older one has left.
 */
import { type EntryStore } from '../../kit/kit.ts'
import { type Awaitable, whenReady } from '../../lib/awaitable.ts'
import { rfc3339 } from '../../lib/clock.ts'
import { type Random, uuid } from '../../lib/random.ts'
import { type Config } from './config.ts'

/** Times in milliseconds; `deletion` 0 = never, and may lie in the future. */
export type Version = {
  readonly created: number
  readonly deletion: number
  readonly destroyed: boolean
}

/** There while fields of the secret are rotated: readers are then told which generation they have. */
export type Rotated = {
  readonly kind: string
  readonly fields: readonly string[]
  /** By version. */
  readonly generations: Readonly<Record<string, number>>
}

export type Key = {
  readonly uid: string
  /** Never stored: this stands for a secret without versions, under `data/` and this path. */
  readonly oldPath?: string
  /** 0 = nothing written yet. Only ever grows. */
  readonly current: number
  readonly oldest: number
  readonly created: number
  readonly updated: number
  readonly maxVersions: number
  readonly casRequired: boolean
  /** Counts the changes of settings and notes; absent = 0. */
  readonly metadataVersion?: number
  readonly metadataCasRequired?: boolean
  readonly deleteAfterSeconds: number
  readonly custom: Readonly<Record<string, string>> | null
  readonly rotation?: Rotated
  readonly versions: Readonly<Record<string, Version>>
}

/** A version's secret as its JSON text, in which every number keeps its digits. */
export type Secret = { readonly data: string }

/** What the API tells of a version, beside or instead of its data. */
export type VersionMetadata = {
  version: number
  created_time: string
  deletion_time: string
  destroyed: boolean
  custom_metadata: Readonly<Record<string, string>> | null
}

export const METADATA = 'metadata/'
/** Where version 1 of the engine keeps its secrets: what was there before an upgrade. */
export const OLD = 'data/'
const VERSIONS_DEFAULT = 10

const secretAt = (key: Key, version: number) =>
  key.oldPath === undefined ? `versions/${key.uid}/${version}` : OLD + key.oldPath

export const newUid = (random: Random): string => uuid(random)

export function newKey(now: number, uid: string): Key {
  return {
    uid,
    current: 0,
    oldest: 0,
    created: now,
    updated: now,
    maxVersions: 0,
    casRequired: false,
    deleteAfterSeconds: 0,
    custom: null,
    versions: {},
  }
}

export function putKey(store: EntryStore, path: string, key: Key): void {
  store.put(METADATA + path, key)
}

/** Removes the key with everything it ever held. */
export function removeKey(store: EntryStore, path: string, key: Key): void {
  for (const version of Object.keys(key.versions)) removeSecret(store, key, Number(version))
  store.remove(METADATA + path)
}

/** The secret of a version that is neither deleted nor destroyed. */
export function getSecret(
  store: Pick<EntryStore, 'get'>,
  key: Key,
  version: number,
): Awaitable<Secret> {
  return whenReady(store.get<Secret>(secretAt(key, version)), (secret) => {
    if (secret) return secret
    throw new Error('a version is in the metadata but its data is not stored')
  })
}

export function putSecret(
  store: EntryStore,
  key: Key,
  { version, text }: { version: number; text: string },
): void {
  store.put(secretAt(key, version), { data: text } satisfies Secret)
}

export function removeSecret(store: EntryStore, key: Key, version: number): void {
  store.remove(secretAt(key, version))
}

/**
 * Adds a version and drops those that are now too many, in one write. Both the key and the mount
 * may say how many to keep; the larger number wins.
 */
export function addVersion(
  store: EntryStore,
  path: string,
  add: { key: Key; config: Config; text: string; now: number; generation?: number },
): VersionMetadata {
  const { key, config, now } = add
  const current = key.current + 1
  const keep = Math.max(key.maxVersions, config.maxVersions) || VERSIONS_DEFAULT
  const oldest = current - key.oldest >= keep ? current - keep + 1 : key.oldest
  const versions: Record<string, Version> = {}
  for (const [version, about] of Object.entries(key.versions)) {
    if (Number(version) >= oldest) versions[version] = about
    else removeSecret(store, key, Number(version))
  }
  versions[current] = { created: now, deletion: deletionTime(now, config, key), destroyed: false }
  const grown = { ...key, current, oldest, updated: now, versions, ...grownRotation(add, current) }
  putSecret(store, key, { version: current, text: add.text })
  putKey(store, path, grown)
  return versionMetadata(grown, current)
}

/** What is written beside the rotated fields keeps the generation of the version before. */
function grownRotation(
  { key, generation }: { key: Key; generation?: number },
  version: number,
): { rotation?: Rotated } {
  const { rotation } = key
  if (!rotation) return {}
  const kept = Object.entries(rotation.generations).filter(([of]) => key.versions[of])
  const own = generation ?? rotation.generations[key.current]
  const generations = Object.fromEntries(kept)
  if (own !== undefined) generations[version] = own
  return { rotation: { ...rotation, generations } }
}

/** When a version written (or brought back) now will delete itself; 0 = never. */
export function deletionTime(now: number, config: Config, key: Key): number {
  if (config.deleteAfterSeconds < 0) return 0
  const limits = [config.deleteAfterSeconds, key.deleteAfterSeconds].filter((limit) => limit > 0)
  return limits.length === 0 ? 0 : now + Math.min(...limits) * 1000
}

/** Whether its deletion time has come. Must be asked at each read, since time makes it so. */
export function isDeleted(version: Version, now: number): boolean {
  return version.deletion !== 0 && version.deletion <= now
}

/** `version` must be one the key has. */
export function versionMetadata(key: Key, version: number): VersionMetadata {
  const about = key.versions[version]!
  return {
    version,
    ...versionTimes(about),
    custom_metadata: key.custom,
  }
}

export function versionTimes(version: Version) {
  return {
    created_time: rfc3339(version.created),
    deletion_time: version.deletion === 0 ? '' : rfc3339(version.deletion),
    destroyed: version.destroyed,
  }
}
