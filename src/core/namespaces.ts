/**
 * Namespaces: servers within the server, each with mounts, policies, identities, tokens and leases
 * of its own. The table is one entry of the root, so it changes as one; what belongs to a namespace
 * lies under its uuid and is reached by a scope that can name nothing else.
 *
 *   sys/namespaces          the table; absent until there is one besides the root
 *   ns/<uuid>/…             what the root has without this prefix
 *
 * Tokens, accessors and lease ids of a namespace end in `.<its id>`, which says where they lie.
 */
import { type Scope, type Tx } from '../barrier/space.ts'
import { scopeUnder } from '../barrier/scope-under.ts'
import { Failure } from '../kit/failure.ts'
import { type Awaitable, whenReady } from '../lib/awaitable.ts'

/** Which namespace an entry belongs to; absent in entries of the root. */
export type Home = { id: string; uuid: string }

export type NamespaceEntry = Home & {
  /** From the root, each segment with its slash: `a/b/`. */
  path: string
  custom_metadata: Record<string, string>
  /** Digest of the key that unlocks it; there while it is locked. */
  unlock_digest?: string
  /** Being ended: nothing can be asked there any more. */
  tainted?: true
}

export type NamespaceTable = { namespaces: NamespaceEntry[] }

export type Namespace = Readonly<NamespaceEntry> & {
  readonly parent: Namespace | undefined
  /** What all its paths in the store begin with. */
  readonly prefix: string
}

const NAMESPACES_PATH = 'sys/namespaces'

export const ROOT: Namespace = {
  id: 'root',
  uuid: '00000000-0000-4000-8000-000000000000',
  path: '',
  custom_metadata: {},
  parent: undefined,
  prefix: '',
}

/** While the server is sealed: some namespace, and nobody knows whether there is one. */
export const UNREAD: Namespace = { ...ROOT, id: '', uuid: '', prefix: 'ns/' }

export type Namespaces = {
  readonly entries: readonly NamespaceEntry[]
  readonly byPath: ReadonlyMap<string, Namespace>
  readonly byId: ReadonlyMap<string, Namespace>
}

/** The table is the same object while nothing has changed, so it is compiled once. */
const compiled = new WeakMap<NamespaceTable, Namespaces>()

function compile(table: NamespaceTable): Namespaces {
  let known = compiled.get(table)
  if (known) return known
  const byPath = new Map<string, Namespace>()
  // A parent's path is shorter than its children's.
  for (const entry of table.namespaces.toSorted((a, b) => a.path.length - b.path.length)) {
    const parent = byPath.get(parentPath(entry.path)) ?? ROOT
    byPath.set(entry.path, { ...entry, parent, prefix: prefixOfHome(entry) })
  }
  const byId = new Map([...byPath.values()].map((namespace) => [namespace.id, namespace]))
  known = { entries: table.namespaces, byPath, byId }
  compiled.set(table, known)
  return known
}

const parentPath = (path: string) => path.slice(0, path.lastIndexOf('/', path.length - 2) + 1)

/** Undefined while the root is the only one, which then costs no more than this one read. */
export function namespacesOf(tx: Tx): Awaitable<Namespaces | undefined> {
  return whenReady(tx.get<NamespaceTable>(NAMESPACES_PATH), (table) => table && compile(table))
}

export function saveNamespaces(tx: Tx, entries: readonly NamespaceEntry[]): void {
  if (entries.length === 0) return tx.remove(NAMESPACES_PATH)
  const sorted = entries.toSorted((a, b) => (a.path < b.path ? -1 : 1))
  tx.put(NAMESPACES_PATH, { namespaces: sorted } satisfies NamespaceTable)
}

/** What all paths of a namespace in the store begin with. */
export const prefixOfHome = (home: Home | undefined): string => (home ? `ns/${home.uuid}/` : '')

/** The entries of a namespace. */
export function scopeIn(tx: Scope, { prefix }: Pick<Namespace, 'prefix'>): Scope {
  return prefix === '' ? tx : scopeUnder(tx, prefix)
}

/** The entries of the namespace that an entry belongs to. */
export const scopeOfHome = (tx: Scope, home: Home | undefined): Scope =>
  home ? scopeUnder(tx, prefixOfHome(home)) : tx

/** How an entry says where it belongs. */
export const homeOf = ({ id, uuid, prefix }: Namespace): { namespace?: Home } =>
  prefix === '' ? {} : { namespace: { id, uuid } }

/** What ids of a namespace end in. */
export const idSuffix = ({ id, prefix }: Namespace): string => (prefix === '' ? '' : `.${id}`)

/** The namespace of this id, also one that is being ended; undefined = there is none. */
export function namespaceById(tx: Tx, id: string | undefined): Awaitable<Namespace | undefined> {
  if (id === undefined) return ROOT
  return whenReady(namespacesOf(tx), (all) => all?.byId.get(id))
}

/** Whether `inner` is `outer` or one of its descendants. */
export const isWithin = (inner: Namespace, outer: Namespace): boolean =>
  inner.path.startsWith(outer.path)

/** The nearest of a namespace and its ancestors that is locked. */
export function lockedAt(namespace: Namespace): Namespace | undefined {
  for (let at: Namespace | undefined = namespace; at; at = at.parent) {
    if (at.unlock_digest !== undefined) return at
  }
  return undefined
}

export const lockedFailure = ({ path }: Namespace): Failure =>
  new Failure(
    'namespace_locked',
    `API access to this namespace has been locked by an administrator - "${path}" ` +
      'must be unlocked to gain access.',
  )

type Found = { namespace: Namespace; path: string; exact: boolean }

/**
 * The namespace a request is in and what is left of its path. A header must be a namespace from end
 * to end: one that is not there must never be taken for its parent, so `exact` is false then and the
 * path is that of the whole. Leading segments of the path are taken as far as they are namespaces.
 */
export function findNamespace(all: Namespaces | undefined, header: string, path: string): Found {
  const whole = header === '' ? path : `${header}/${path}`
  let namespace = ROOT
  let from = 0
  for (;;) {
    const slash = whole.indexOf('/', from)
    const next = slash < 0 ? undefined : all?.byPath.get(whole.slice(0, slash + 1))
    if (!next || next.tainted) break
    namespace = next
    from = slash + 1
  }
  return { namespace, path: whole.slice(from), exact: header === '' || from > header.length }
}
