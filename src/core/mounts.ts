/**
 * The mount table: one entry that names every engine's place. It changes as one, so a mount is
 * there or not there on every node at once; a remount renames it and moves no data, because an
 * engine's entries lie under the mount's uuid.
 */
import { type MountView, type EntryStore } from '../kit/call.ts'
import { type Engine } from '../kit/engine.ts'
import { type Scope } from '../barrier/space.ts'
import { type Awaitable, whenReady } from '../lib/awaitable.ts'
import { type Routes, routesOf } from './endpoints.ts'

export type MountConfig = {
  /** 0 = the system's. */
  default_lease_ttl: number
  max_lease_ttl: number
  force_no_cache: boolean
  audit_non_hmac_request_keys?: string[]
  audit_non_hmac_response_keys?: string[]
  listing_visibility?: string
  passthrough_request_headers?: string[]
  allowed_response_headers?: string[]
  token_type?: string
  user_lockout_config?: Record<string, unknown>
  allowed_managed_keys?: string[]
  delegated_auth_accessors?: string[]
  identity_token_key?: string
}

export type MountEntry = {
  /** With its trailing slash; auth mounts start with `auth/`. */
  path: string
  class: 'secret' | 'auth'
  type: string
  uuid: string
  accessor: string
  description: string
  options: Record<string, string> | null
  config: MountConfig
  local: boolean
  seal_wrap: boolean
  external_entropy_access: boolean
  /** A fixed mount of a namespace below the root; its type is shown as `ns_<type>`. */
  namespaced?: true
  /** Where it was before it was moved: leases keep the path under which they were issued. */
  former_paths?: string[]
}

/** As the API and the audit log name the type. */
export const shownType = ({ type, namespaced }: MountEntry): string =>
  namespaced ? `ns_${type}` : type

export type MountTable = { mounts: MountEntry[] }
const EMPTY: MountTable = { mounts: [] }

export type Mount = {
  readonly entry: MountEntry
  readonly engine: Engine
  readonly routes: Routes
  readonly view: MountView
  /** Where its entries lie in the scope of its namespace. */
  readonly prefix: string
}

export const MOUNTS_PATH = 'sys/mounts'
/** Mounts that are out of the table already, while their leases and data are still being ended. */
const ENDING_PATH = 'sys/mounts-ending'
/**
 * A token has one cubbyhole, in the namespace it belongs to, wherever it asks; core clears it when
 * the token ends.
 */
export const CUBBYHOLE_PREFIX = 'm/cubbyhole/'

/** Which engine serves a mount; undefined when this build has none of that type. */
export type EngineFinder = (
  mount: Pick<MountEntry, 'class' | 'type' | 'options'>,
) => Engine | undefined

export type SystemTtl = { defaultSeconds: number; maxSeconds: number }

export type Mounts = {
  table(scope: Scope): Promise<MountTable>
  /** The mount that serves a path, or undefined. */
  find(scope: Scope, path: string): Awaitable<Mount | undefined>
  /** The mount at exactly this path (with its slash). */
  at(scope: Scope, path: string): Promise<Mount | undefined>
  byAccessor(scope: Scope, accessor: string): Promise<Mount | undefined>
  /** Those that are ending too, which serve nothing any more but whose leases need their engine. */
  all(scope: Scope): Promise<readonly Mount[]>
  ending(scope: Scope): Promise<readonly MountEntry[]>
  saveEnding(scope: Scope, entries: readonly MountEntry[]): void
  save(scope: Scope, entries: readonly MountEntry[]): void
  readonly ttl: SystemTtl
  readonly engines: EngineFinder
}

export function mounts(engines: EngineFinder, ttl: SystemTtl): Mounts {
  /** The table entry is the same object while nothing has changed, so this is compiled once. */
  const compiled = new WeakMap<MountTable, Map<string, Mount>>()

  async function table(scope: Scope): Promise<MountTable> {
    return (await scope.get<MountTable>(MOUNTS_PATH)) ?? EMPTY
  }

  function compile(entry: MountTable): Map<string, Mount> {
    let map = compiled.get(entry)
    if (!map) {
      map = new Map()
      for (const mount of entry.mounts) {
        const engine = engines(mount)
        if (engine) map.set(mount.path, compileMount(mount, engine, ttl))
      }
      compiled.set(entry, map)
    }
    return map
  }

  function byPath(scope: Scope): Awaitable<Map<string, Mount>> {
    return whenReady(scope.get<MountTable>(MOUNTS_PATH), (entry) => compile(entry ?? EMPTY))
  }

  return {
    ttl,
    engines,
    table,
    find: (scope, path) => whenReady(byPath(scope), (map) => serving(map, path)),
    at: async (scope, path) => (await byPath(scope)).get(path),
    async byAccessor(scope, accessor) {
      return [...(await byPath(scope)).values()].find((m) => m.entry.accessor === accessor)
    },
    async all(scope) {
      const live = [...(await byPath(scope)).values()]
      const ending = (await this.ending(scope)).flatMap((entry) => {
        const engine = engines(entry)
        return engine ? [compileMount(entry, engine, ttl)] : []
      })
      return [...live, ...ending]
    },
    ending: async (scope) => (await scope.get<MountTable>(ENDING_PATH))?.mounts ?? [],
    saveEnding(scope, entries) {
      if (entries.length === 0) scope.remove(ENDING_PATH)
      else scope.put(ENDING_PATH, { mounts: [...entries] } satisfies MountTable)
    },
    save(scope, entries) {
      const sorted = [...entries].sort((a, b) => (a.path < b.path ? -1 : 1))
      scope.put(MOUNTS_PATH, { mounts: sorted } satisfies MountTable)
    },
  }
}

/** Mounts never overlap, so the first prefix that is a mount is the only one. */
function serving(map: ReadonlyMap<string, Mount>, path: string): Mount | undefined {
  for (let at = path.indexOf('/'); at >= 0; at = path.indexOf('/', at + 1)) {
    const mount = map.get(path.slice(0, at + 1))
    if (mount) return mount
  }
  return map.get(`${path}/`)
}

export function compileMount(entry: MountEntry, engine: Engine, ttl: SystemTtl): Mount {
  const maxTtlSeconds = entry.config.max_lease_ttl || ttl.maxSeconds
  return {
    entry,
    engine,
    routes: routesOf(engine),
    prefix: prefixOf(entry),
    view: {
      path: entry.path,
      type: entry.type,
      accessor: entry.accessor,
      uuid: entry.uuid,
      options: entry.options ?? {},
      defaultTtlSeconds: Math.min(
        entry.config.default_lease_ttl || ttl.defaultSeconds,
        maxTtlSeconds,
      ),
      maxTtlSeconds,
    },
  }
}

/** Where a mount's entries lie. */
export function prefixOf(entry: MountEntry): string {
  return entry.type === 'cubbyhole' ? CUBBYHOLE_PREFIX : `m/${entry.uuid}/`
}

/** A mount's private part of a scope. Nothing outside its prefix can be named through it. */
export function entriesUnder(scope: Scope, prefix: string): EntryStore {
  const at = (key: string) => {
    if (key.startsWith('/') || key.includes('//')) {
      throw new TypeError('an entry key must not have empty segments')
    }
    return prefix + key
  }
  return {
    get: (key) => scope.get(at(key)),
    put: (key, value) => scope.put(at(key), value),
    remove: (key) => scope.remove(at(key)),
    list: (under, page) => scope.list(at(under), page),
  }
}

/** Removes everything below a prefix, in the transaction. */
export async function removeAll(scope: Scope, prefix: string): Promise<void> {
  for (const name of await scope.list(prefix)) {
    if (name.endsWith('/')) await removeAll(scope, prefix + name)
    else scope.remove(prefix + name)
  }
}
