/**
 * The first steps of the pipeline: where a request is. Its namespace, the mount in it and the endpoint
 * of that; and whether the namespace may be asked at all.
 */
import { whenReady } from '../lib/awaitable.ts'
import { type Core } from './core.ts'
import { type Mount } from './mounts.ts'
import {
  findNamespace,
  lockedAt,
  lockedFailure,
  type Namespaces,
  namespacesOf,
  ROOT,
  UNREAD,
  scopeIn,
} from './namespaces.ts'
import { accessOf, isListing, type Turn } from './turn.ts'

/** What is cached is found at once; a promise costs each request that does not need one. */
export function findMount(turn: Turn, core: Core): Promise<void> | void {
  // Before ACL and routing, so that `secret` and `secret/` are one thing to both.
  if (isListing(turn.request.verb) && !turn.path.endsWith('/')) turn.path += '/'
  // `sys/` must answer while there is no mount table to be read.
  const all = turn.tx && namespacesOf(turn.tx)
  return whenReady(all, (found) => findInNamespace(turn, core, found))
}

function findInNamespace(
  turn: Turn,
  core: Core,
  all: Namespaces | undefined,
): Promise<void> | void {
  const { tx, request } = turn
  turn.scope = tx
  if (!tx && request.namespace) turn.ns = UNREAD
  if (tx && (all || request.namespace)) {
    const found = findNamespace(all, request.namespace ?? '', turn.path)
    turn.ns = found.namespace
    turn.scope = scopeIn(tx, found.namespace)
    turn.path = found.path
    // As a path where nothing is, to those who may ask for it; to others as any other path.
    if (!found.exact) return
  }
  const mount =
    turn.scope && !(turn.ns === ROOT && turn.path.startsWith('sys/'))
      ? core.mounts.find(turn.scope, turn.path)
      : core.sysMount(turn.path)
  return whenReady(mount, (found) => findEndpoint(turn, found))
}

function findEndpoint(turn: Turn, mount: Mount | undefined): void {
  const { request } = turn
  turn.mount = mount
  if (!turn.mount) return
  turn.match = turn.mount.routes.match(turn.path.slice(turn.mount.entry.path.length))
  if (request.help) {
    // What an endpoint takes is no secret, and help changes nothing.
    turn.kind = 'public'
    return
  }
  if (!turn.match) return
  // One spelling: what the routes take for the same path must be the same to the ACL.
  if (
    !isListing(request.verb) &&
    turn.path.endsWith('/') &&
    !turn.match.endpoint.path.endsWith('*')
  ) {
    turn.path = turn.path.slice(0, -1)
  }
  turn.kind = accessOf(turn.match.endpoint, request.verb)
  if (request.openMetrics && turn.path === 'sys/metrics') turn.kind = 'public'
}

/** A locked namespace answers only what every server answers, and to the one who unlocks it. */
export function refuseWhenLocked({ ns, mount, match, path }: Turn): void {
  if (ns === ROOT) return
  const locked = lockedAt(ns)
  if (!locked || match?.endpoint.whenSealed) return
  if (mount?.entry.type === 'system' && UNLOCK.test(path)) return
  throw lockedFailure(locked)
}

const UNLOCK = /^sys\/namespaces\/api-lock\/unlock(?:\/|$)/
