/**
 * The key-value store in both its versions. Which one a mount speaks is found out by asking, so the
 * same code reads either; what only version 2 can do is refused on version 1, not imitated.
 */
import { InvalidRequestError, MissingError } from './errors.ts'
import { type Answer, type Call, type CallOptions } from './http.ts'
import { type Mounts, type Place } from './mounts.ts'

/** A secret as stored. On version 1 everything but `data` is undefined. */
export type KvSecret = {
  data: Record<string, unknown>
  version: number | undefined
  createdTime: string | undefined
  customMetadata: Record<string, string> | undefined
  /** Which one of a secret that is rotated this is; undefined where the server does not say. */
  generation: number | undefined
}
export type KvWritten = { version: number | undefined; createdTime: string | undefined }
export type KvMetadata = {
  currentVersion: number
  oldestVersion: number
  maxVersions: number
  casRequired: boolean
  createdTime: string
  updatedTime: string
  customMetadata: Record<string, string> | undefined
  versions: Record<string, { createdTime: string; deletionTime: string; destroyed: boolean }>
}
export type KvSettings = {
  maxVersions?: number
  casRequired?: boolean
  deleteVersionAfter?: string
  customMetadata?: Record<string, string>
}

export type Kv = {
  /** Throws MissingError for a path or version that is not there, or is deleted. */
  read(path: string, options?: CallOptions & { version?: number | undefined }): Promise<KvSecret>
  /** Replaces the whole secret. `cas` is the version that must be current; 0: must not exist. */
  write(
    path: string,
    data: Record<string, unknown>,
    options?: CallOptions & { cas?: number },
  ): Promise<KvWritten>
  /** Changes the given fields, removes those given as null, leaves the others. Version 2 only. */
  patch(
    path: string,
    data: Record<string, unknown>,
    options?: CallOptions & { cas?: number },
  ): Promise<KvWritten>
  /** Version 2: the newest version can be undeleted. Version 1: gone. */
  delete(path: string, options?: CallOptions & { versions?: readonly number[] }): Promise<void>
  undelete(path: string, versions: readonly number[], options?: CallOptions): Promise<void>
  /** Removes the data of these versions for good. */
  destroy(path: string, versions: readonly number[], options?: CallOptions): Promise<void>
  /** Names below the path, sorted; a name ending in `/` has more below. Empty when there are none. */
  list(path?: string, options?: CallOptions): Promise<string[]>
  metadata(path: string, options?: CallOptions): Promise<KvMetadata>
  setMetadata(path: string, settings: KvSettings, options?: CallOptions): Promise<void>
  /** Removes the secret with all its versions, for good. */
  deleteMetadata(path: string, options?: CallOptions): Promise<void>
}

type Fields = Record<string, unknown>
export type KvOptions = {
  call: (call: Call) => Promise<Answer>
  mounts: Mounts
  /** Told of every value that was read, with a label that says where it was. */
  onData: (data: Fields, label: string, version?: number) => void
}

export function createKv(mount: string, { call, mounts, onData }: KvOptions): Kv {
  /** Calls `<mount>/<part>/<rest>`; on version 1, where there are no parts, `<mount>/<rest>`. */
  const at = async (path: string, options: CallOptions) => {
    const { signal, background, headers } = options
    const place = await mounts.locate(joined(mount, path), { signal, background })
    const ask = async (part: string, request: Omit<Call, 'path'>) => {
      try {
        const below = place.version === 1 ? place.rest : joined(part, place.rest)
        return await call({
          signal,
          background,
          headers,
          ...request,
          path: joined(place.mount, below),
        })
      } catch (error) {
        // A 404 with words in it is about the mount, which may have changed under our feet.
        if (error instanceof MissingError && error.errors.length > 0) mounts.forget(place.mount)
        throw error
      }
    }
    return { place, ask }
  }
  const versioned = async (path: string, options: CallOptions) => {
    const found = await at(path, options)
    if (found.place.version === 1) {
      throw new InvalidRequestError({
        path: found.place.mount,
        hint: 'this mount is KV version 1, which keeps no versions and no metadata',
      })
    }
    return found
  }
  const onVersions = (part: string) => {
    return async (path: string, versions: readonly number[], options: CallOptions = {}) => {
      const { ask } = await versioned(path, options)
      await ask(part, { method: 'POST', body: { versions } })
    }
  }
  const deleteVersions = onVersions('delete')

  return {
    async read(path, options = {}) {
      const { version } = options
      const { place, ask } = await (version === undefined ? at : versioned)(path, options)
      const answer = await ask('data', { method: 'GET', query: { version } })
      const secret = kvSecret(answer, place)
      onData(secret.data, joined(place.mount, place.rest), secret.version)
      return secret
    },

    async write(path, data, options = {}) {
      const { cas } = options
      const { place, ask } = await (cas === undefined ? at : versioned)(path, options)
      const body = place.version === 1 ? data : withCas(data, cas)
      return kvWritten(await ask('data', { method: 'POST', body }))
    },

    async patch(path, data, options = {}) {
      const { ask } = await versioned(path, options)
      return kvWritten(await ask('data', { method: 'PATCH', body: withCas(data, options.cas) }))
    },

    async delete(path, options = {}) {
      if (options.versions) return deleteVersions(path, options.versions, options)
      const { ask } = await at(path, options)
      await ask('data', { method: 'DELETE' })
    },

    undelete: onVersions('undelete'),
    destroy: onVersions('destroy'),

    async list(path = '', options = {}) {
      const { ask } = await at(path, options)
      return listed(ask('metadata', { method: 'GET', query: { list: 'true' } }))
    },

    async metadata(path, options = {}) {
      const { ask } = await versioned(path, options)
      return kvMetadata(await ask('metadata', { method: 'GET' }))
    },

    async setMetadata(path, settings, options = {}) {
      const { ask } = await versioned(path, options)
      const body = {
        max_versions: settings.maxVersions,
        cas_required: settings.casRequired,
        delete_version_after: settings.deleteVersionAfter,
        custom_metadata: settings.customMetadata,
      }
      await ask('metadata', { method: 'POST', body })
    },

    async deleteMetadata(path, options = {}) {
      const { ask } = await versioned(path, options)
      await ask('metadata', { method: 'DELETE' })
    },
  }
}

/** Joins with one slash; slashes at the ends are nothing. */
function joined(...parts: string[]): string {
  return parts
    .map((part) => part.replace(/^\/+|\/+$/g, ''))
    .filter((part) => part !== '')
    .join('/')
}

/** The keys of a list; an empty folder is a bare 404. */
export async function listed(answer: Promise<Answer>): Promise<string[]> {
  try {
    const { keys } = fieldsOf((await answer).body?.['data'])
    return Array.isArray(keys) ? (keys as string[]) : []
  } catch (error) {
    if (error instanceof MissingError && error.errors.length === 0) return []
    throw error
  }
}

const fieldsOf = (value: unknown): Fields => Object(value) as Fields
const withCas = (data: Fields, cas: number | undefined) =>
  cas === undefined ? { data } : { data, options: { cas } }

function kvSecret({ body, generation }: Answer, { version }: Place): KvSecret {
  const envelope = fieldsOf(body?.['data'])
  if (version === 1) {
    const none = { version: undefined, createdTime: undefined, customMetadata: undefined }
    return { data: envelope, ...none, generation }
  }
  const about = fieldsOf(envelope['metadata'])
  return {
    data: fieldsOf(envelope['data']),
    version: about['version'] as number,
    createdTime: about['created_time'] as string,
    customMetadata: (about['custom_metadata'] ?? undefined) as KvSecret['customMetadata'],
    generation,
  }
}

function kvWritten({ body }: Answer): KvWritten {
  const data = fieldsOf(body?.['data'])
  return {
    version: data['version'] as number | undefined,
    createdTime: data['created_time'] as string | undefined,
  }
}

function kvMetadata({ body }: Answer): KvMetadata {
  const data = fieldsOf(body?.['data'])
  const versions = Object.entries(fieldsOf(data['versions'])).map(([number, value]) => {
    const about = fieldsOf(value)
    return [
      number,
      {
        createdTime: about['created_time'] as string,
        deletionTime: about['deletion_time'] as string,
        destroyed: about['destroyed'] === true,
      },
    ] as const
  })
  return {
    currentVersion: data['current_version'] as number,
    oldestVersion: data['oldest_version'] as number,
    maxVersions: data['max_versions'] as number,
    casRequired: data['cas_required'] === true,
    createdTime: data['created_time'] as string,
    updatedTime: data['updated_time'] as string,
    customMetadata: (data['custom_metadata'] ?? undefined) as KvMetadata['customMetadata'],
    versions: Object.fromEntries(versions),
  }
}
