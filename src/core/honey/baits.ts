/**
 * Baits: things that nobody has a reason to touch. Each is an entry of its namespace; one index of the
 * whole server says by what a request is known to touch one, so that all others need one look.
 *
 *   honey/<name>   Bait, in the scope of its namespace
 *   sys/honey      BaitIndex, in the root
 */
import { type Scope, type Tx } from '../../barrier/space.ts'
import { type Home } from '../namespaces.ts'
import { accessorOf } from '../token-format.ts'
import { type Mount } from '../mounts.ts'
import { type Turn } from '../turn.ts'

export const BAIT_KINDS = ['kv', 'approle', 'token'] as const
export type BaitKind = (typeof BAIT_KINDS)[number]

export type Bait = {
  readonly of: BaitKind
  readonly key: string
  /** As it was named when it was set out: a path, a role, or absent. */
  readonly path?: string
  readonly role?: string
  readonly accessor?: string
  readonly note: string
  readonly setAt: number
  /** `key` signs what is sent. */
  readonly webhook?: { readonly url: string; readonly key: string }
}

/** Which bait a key belongs to. */
export type BaitRef = { readonly name: string; readonly of: BaitKind; readonly namespace?: Home }
export type BaitIndex = { readonly refs: Readonly<Record<string, BaitRef>> }

export const BAITS_MAX = 1_000
export const INDEX_PATH = 'sys/honey'
const FOLDER = 'honey/'

/** By the mount's uuid: moving the mount moves the bait with it. */
export const kvKey = (mount: Pick<Mount, 'entry'>, path: string) => `kv:${mount.entry.uuid}:${path}`
export const approleKey = (mount: Pick<Mount, 'entry'>, roleId: string) =>
  `approle:${mount.entry.uuid}:${roleId}`
export const tokenKey = (accessor: string) => `token:${accessor}`

export const getBait = (scope: Pick<Scope, 'get'>, name: string) => scope.get<Bait>(FOLDER + name)
export const baitNames = (scope: Scope) => scope.list(FOLDER)

export async function putBait(
  tx: Tx,
  scope: Scope,
  { bait, ...ref }: BaitRef & { bait: Bait },
): Promise<'taken' | 'too many' | undefined> {
  const refs = { ...(await tx.get<BaitIndex>(INDEX_PATH))?.refs }
  const before = await getBait(scope, ref.name)
  if (before) delete refs[before.key]
  if (Object.hasOwn(refs, bait.key)) return 'taken'
  if (Object.keys(refs).length >= BAITS_MAX) return 'too many'
  tx.put(INDEX_PATH, { refs: { ...refs, [bait.key]: ref } } satisfies BaitIndex)
  scope.put(FOLDER + ref.name, bait)
  return undefined
}

export async function removeBait(tx: Tx, scope: Scope, name: string): Promise<void> {
  const bait = await getBait(scope, name)
  if (!bait) return
  const refs = { ...(await tx.get<BaitIndex>(INDEX_PATH))?.refs }
  delete refs[bait.key]
  tx.put(INDEX_PATH, { refs } satisfies BaitIndex)
  scope.remove(FOLDER + name)
}

/** A request, or a part of one, that has touched a bait. */
export type Found = { readonly ref: BaitRef; readonly turn: Turn }

type Table = { readonly byKey: ReadonlyMap<string, BaitRef>; readonly kinds: ReadonlySet<BaitKind> }
/** Every request asks for the same one, and an index that has not changed is the same object. */
let last: { index: BaitIndex; table: Table } | undefined

function tableOf(index: BaitIndex): Table {
  if (last?.index !== index) {
    const byKey = new Map(Object.entries(index.refs))
    const kinds = new Set([...byKey.values()].map(({ of }) => of))
    last = { index, table: { byKey, kinds } }
  }
  return last.table
}

/** What a request has touched, whether or not it was let in: each bait once. */
export function touchedBy(turn: Turn, index: BaitIndex): Found[] {
  const { byKey, kinds } = tableOf(index)
  const found: Found[] = []
  const look = (key: string | undefined, by: Turn) => {
    const ref = key === undefined ? undefined : byKey.get(key)
    if (ref && !found.some((known) => known.ref === ref)) found.push({ ref, turn: by })
  }
  if (kinds.has('token')) look(keyOfToken(turn), turn)
  if (kinds.has('approle')) look(keyOfLogin(turn), turn)
  if (kinds.has('kv')) {
    look(keyOfPath(turn), turn)
    for (const part of turn.parts) look(keyOfPath(part), part)
  }
  return found
}

/** A token that has ended, or was never whole, still says which one it would be. */
function keyOfToken({ token, request }: Turn): string | undefined {
  const accessor = token?.accessor || (request.token && accessorOf(request.token))
  return accessor ? tokenKey(accessor) : undefined
}

function keyOfLogin({ kind, mount, request }: Turn): string | undefined {
  if (kind !== 'login' || !mount) return undefined
  const roleId = request.data['role_id']
  return typeof roleId === 'string' ? approleKey(mount, roleId) : undefined
}

/** Every endpoint of a secret (its data, its metadata, its versions …) captures the secret's path. */
function keyOfPath({ mount, match, path }: Turn): string | undefined {
  if (!mount) return undefined
  const { captures } = match ?? mount.routes.match(path.slice(mount.entry.path.length)) ?? {}
  const captured = captures?.['path']
  return captured === undefined ? undefined : kvKey(mount, captured)
}
