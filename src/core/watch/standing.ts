/**
 * Whether a watch may go on, and what it may see: asked anew whenever something is to be told. What
 * was read is newer than what is told, so no event gets past a policy that was there before it.
 */
import { type Scope, type Tx } from '../../barrier/space.ts'
import { Failure } from '../../kit/failure.ts'
import { type Acl } from '../acl.ts'
import { type Core } from '../core.ts'
import { type Mount, type MountTable } from '../mounts.ts'
import { lockedAt, type Namespace, namespaceById, scopeIn } from '../namespaces.ts'
import { policyPathOf, type Turn } from '../turn.ts'
import { type StoredEvent } from './events.ts'

/** Why a watch came to its end, as the audit log has it. */
export type Ending =
  | 'by the client'
  | 'by the server'
  | 'sealed'
  | 'the token has ended'
  | 'the policies do not allow it any more'
  | 'the namespace is locked or gone'
  | 'the mount has moved or gone'
  | 'read too slowly'
  | 'answered'
  | 'trouble'

export type Watched = {
  /** As it was asked for, in the namespace: '' is everything. */
  readonly prefix: string
  /** Uuid of the mount that served the prefix in the beginning; undefined = no single one. */
  readonly mount: string | undefined
}

export type Standing = {
  readonly acl: Acl
  readonly ns: Namespace
  readonly tokenNs: Namespace
  readonly tx: Tx
  readonly scope: Scope
}

/** What the watcher may see now, or why they may see nothing any more. */
export async function standingNow(
  core: Core,
  turn: Turn,
  watched: Watched,
): Promise<Standing | Ending> {
  const tx = await core.begin(false)
  if (!tx) return 'sealed'
  const now = core.clock.now()
  const token = await core.tokens.find(tx, turn.request.token ?? '', now)
  // Another token may have been made with the same id of the caller's choice.
  if (!token || token.uid !== turn.token?.uid) return 'the token has ended'
  const ns = await namespaceById(tx, turn.ns.id === 'root' ? undefined : turn.ns.id)
  const tokenNs = await namespaceById(tx, token.namespace?.id)
  if (!ns || !tokenNs || ns.tainted || lockedAt(ns)) return 'the namespace is locked or gone'
  const acl = await aclOf(core, tx, token)
  if (!acl) return 'the token has ended'
  const path = policyPathOf({ ns, tokenNs }, turn.path)
  if (!acl.check({ path, operation: 'read', data: turn.request.data }).allowed) {
    return 'the policies do not allow it any more'
  }
  const scope = scopeIn(tx, ns)
  const mount = await servingMount(core, scope, watched.prefix)
  if (mount?.entry.uuid !== watched.mount) return 'the mount has moved or gone'
  return { acl, ns, tokenNs, tx, scope }
}

async function aclOf(core: Core, tx: Tx, token: NonNullable<Turn['token']>) {
  try {
    return (await core.grantsOf(tx, token)).acl
  } catch (error) {
    // Its entity was disabled or is gone.
    if (error instanceof Failure) return undefined
    throw error
  }
}

export async function servingMount(
  core: Core,
  scope: Scope,
  prefix: string,
): Promise<Mount | undefined> {
  return prefix === '' ? undefined : core.mounts.find(scope, prefix)
}

/** A prefix is whole segments: `a/b` is that path and all below it, `a/b/` only what is below. */
export function isUnder(path: string, prefix: string): boolean {
  if (prefix === '' || path === prefix) return true
  return path.startsWith(prefix.endsWith('/') ? prefix : `${prefix}/`)
}

const pathsOf = new WeakMap<MountTable, ReadonlyMap<string, string>>()

/** The path of an event as its watcher names it; undefined when it is none of their business. */
export async function seenPath(
  core: Core,
  { acl, ns, tokenNs, scope }: Standing,
  event: StoredEvent,
  prefix: string,
): Promise<string | undefined> {
  if ((event.ns ?? '') !== (ns.prefix === '' ? '' : ns.uuid)) return undefined
  const table = await core.mounts.table(scope)
  let paths = pathsOf.get(table)
  if (!paths) {
    paths = new Map(table.mounts.map(({ uuid, path }) => [uuid, path]))
    pathsOf.set(table, paths)
  }
  const at = paths.get(event.mount)
  if (at === undefined || !isUnder(at + event.path, prefix)) return undefined
  const mount = await core.mounts.at(scope, at)
  if (!mount) return undefined
  const { tree } = mount.engine
  // Who may read the secret or what is known of it may know that it has changed.
  const ways = tree
    ? [tree.rights('read', event.path), tree.rights('describe', event.path)]
    : [[{ operation: 'read' as const, path: event.path }]]
  const may = ways.some((rights) =>
    rights.every(({ operation, path }) => {
      const asked = policyPathOf({ ns, tokenNs }, at + path)
      return acl.check({ path: asked, operation, data: {} }).allowed
    }),
  )
  return may ? at + event.path : undefined
}
