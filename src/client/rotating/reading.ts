/**
 * Reads a secret or credential from wherever it is, and tells one generation of it from the next:
 * key-value in both versions, a credential that the server rotates, or one made for this reader.
 */
import { createHash } from 'node:crypto'
import { type Client } from '../connect.ts'
import { CofferError, DeniedError, InvalidRequestError, MissingError } from '../errors.ts'
import { type CallOptions } from '../http.ts'
import { stringifyJson } from '../json.ts'

export type Reading = {
  data: Record<string, unknown>
  /** Differs from the one before when there is something new to use. */
  mark: string
  /** The server's number for it: a version, or a generation. */
  generation: number | undefined
  lease: ReadLease | undefined
}
export type ReadLease = { id: string; seconds: number; renewable: boolean }

export type Reader = {
  read(options?: CallOptions): Promise<Reading>
  /** A cheap look: false when the reading is surely still the newest. */
  mayHaveChanged(last: Reading, options?: CallOptions): Promise<boolean>
}

/** A reader of one path, as it is written in a reference. Asks once what is mounted there. */
export function createReader(client: Client, path: string): Reader {
  let kind: Promise<Reader> | undefined
  const find = (options: CallOptions = {}) => {
    kind ??= readerOf(client, path, options).catch((error: unknown) => {
      kind = undefined
      throw error
    })
    return kind
  }
  return {
    read: async (options) => (await find(options)).read(options),
    mayHaveChanged: async (last, options) => (await find(options)).mayHaveChanged(last, options),
  }
}

async function readerOf(client: Client, path: string, options: CallOptions): Promise<Reader> {
  const found = await mountOf(client, path, options)
  const { mount = path.split('/', 1).join(), type } = found
  const rest = path.slice(mount.length + 1)
  // When the question is forbidden, the path itself has to tell.
  const isCredential = type === undefined ? /^(static-)?creds\//.test(rest) : !KV_TYPES.has(type)
  return isCredential ? credentialReader(client, mount, rest) : kvReader(client, mount, rest)
}

const KV_TYPES = new Set(['kv', 'generic', 'cubbyhole'])

async function mountOf(
  client: Client,
  path: string,
  options: CallOptions,
): Promise<{ mount?: string; type?: string }> {
  try {
    const asked = `sys/internal/ui/mounts/${path}`
    const { data } = await client.read(asked, options)
    const { path: mount, type } = Object(data) as { path?: unknown; type?: unknown }
    if (typeof mount !== 'string') return {}
    const known = { mount: mount.replace(/\/$/, '') }
    return typeof type === 'string' ? { ...known, type } : known
  } catch (error) {
    if (error instanceof DeniedError || error instanceof MissingError) return {}
    throw error
  }
}

function kvReader(client: Client, mount: string, rest: string): Reader {
  const kv = client.kv(mount)
  let canAsk = true
  return {
    async read(options) {
      const { data, version, createdTime, generation = version } = await kv.read(rest, options)
      const mark = version === undefined ? digestOf(data) : `${version}@${createdTime}`
      // The two differ once somebody has written beside the rotated field.
      return { data, mark, generation, lease: undefined }
    },
    async mayHaveChanged(last, options) {
      if (!canAsk) return true
      try {
        const { currentVersion, versions } = await kv.metadata(rest, options)
        return `${currentVersion}@${versions[String(currentVersion)]?.createdTime}` !== last.mark
      } catch (error) {
        // The policy allows the data only, or the mount has no versions.
        if (!(error instanceof DeniedError || error instanceof InvalidRequestError)) throw error
        canAsk = false
        return true
      }
    },
  }
}

function credentialReader(client: Client, mount: string, rest: string): Reader {
  const path = `${mount}/${rest}`
  let canAsk = rest.startsWith('static-creds/')
  return {
    async read(options) {
      const reply = await client.read(path, options)
      const { data = {}, leaseId, leaseSeconds, renewable, generation } = reply
      const lease =
        leaseId === undefined ? undefined : { id: leaseId, seconds: leaseSeconds, renewable }
      return { data, mark: markOf(data, generation, leaseId), generation, lease }
    },
    async mayHaveChanged(last, options) {
      // A lease is never changed under its holder's feet.
      if (last.lease !== undefined) return false
      if (!canAsk || last.generation === undefined) return true
      try {
        const { data } = await client.read(`${path}/generation`, options)
        return data?.['generation'] !== last.generation
      } catch (error) {
        if (!isRefusal(error)) throw error
        canAsk = false
        return true
      }
    },
  }
}

/** An answer that says the question itself is not to be had; not that the server is away. */
function isRefusal(error: unknown): boolean {
  const kinds = [DeniedError, MissingError, InvalidRequestError]
  return error instanceof CofferError && kinds.some((kind) => error instanceof kind)
}

/** `ttl` counts down, and must not look like a change. */
function markOf(
  { ttl: _ttl, ...data }: Record<string, unknown>,
  generation: number | undefined,
  leaseId: string | undefined,
): string {
  return leaseId ?? `${generation ?? ''}@${digestOf(data)}`
}

function digestOf(data: Record<string, unknown>): string {
  return createHash('sha256').update(stringifyJson(data)).digest('base64')
}
