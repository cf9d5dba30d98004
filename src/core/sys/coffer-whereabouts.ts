/**
 * `sys/coffer/whereabouts`: what is known of a secret that has turned up somewhere. Where it is kept
 * and whether it is still served is for those who may read it or read about it; who has read it last
 * and who may read it is for operators.
 */
import { type Scope } from '../../barrier/space.ts'
import { type Call } from '../../kit/call.ts'
import { type Endpoint, endpoint } from '../../kit/engine.ts'
import { Failure, refuse } from '../../kit/failure.ts'
import { rfc3339 } from '../../lib/clock.ts'
import { type Parsed, t } from '../../schema/field.ts'
import { canonicalInput } from '../canonical-path.ts'
import { type Core } from '../core.ts'
import { isLive } from '../fingerprints.ts'
import { lastRead } from '../last-read.ts'
import { type Mount } from '../mounts.ts'
import { scopeIn } from '../namespaces.ts'
import { getRotation, idOf } from '../rotation/record.ts'
import { hasSudo } from '../token/subject.ts'
import { type TreeView, treeView } from '../tree-view.ts'
import { policyPathOf, turnOf } from '../turn.ts'
import { whoMay } from './coffer-who.ts'
import { leaseHere } from './leases-here.ts'

const fields = {
  path: t.string({
    help: 'The secret, as an index of fingerprints names it: secret/app/db.',
    required: 'missing path',
    clear: true,
  }),
  version: t.int({ help: 'Which version; 0 = the newest.', default: 0, clear: true }),
  lease: t.string({ help: 'The lease it was issued with.', default: '', clear: true }),
}
type Asked = Parsed<typeof fields>

export function cofferWhereaboutsEndpoints(core: Core): Endpoint[] {
  return [
    endpoint('coffer/whereabouts', {
      help: 'What is known of a secret that has turned up: is it live, who read it, who may.',
      description:
        'Asks for the right to read the secret, or to read about it. `last_read` comes from the ' +
        'newest 32 MB of the first audit log that is a file; it and `may_read` need sudo, and are ' +
        'null without it. `no_read_since` says how far the log was looked at in vain.',
      fields,
      write: (call) => whereabouts(call as never, core, call.data),
      example: { path: 'secret/app/db', version: 3 },
    }),
  ]
}

/** `live` is null where nobody can tell. */
type Kept = { live: boolean | null; current_version: number | null; changed_time: string | null }

async function whereabouts(call: Call<never>, core: Core, asked: Asked) {
  if (asked.version < 0) refuse('version must be 0 or more')
  const path = canonicalInput(asked.path.replace(/^\//, ''))
  if (path === '' || path.endsWith('/')) refuse('path must be a secret, not a folder')
  const aside = await core.begin(false)
  if (!aside) throw new Failure('sealed')
  const turn = turnOf(call)
  const scope = scopeIn(aside, turn.ns)
  const mount = await core.mounts.find(scope, path)
  const readAt = mount ? readPath(mount, path) : path
  const view = treeView(call, core, scope)
  const check = { path: policyPathOf(turn, readAt), operation: 'read', data: {} } as const
  if (!turn.acl?.check(check).allowed && !(await mayDescribe(view, mount, path))) {
    throw new Failure('permission_denied', undefined, { wrapped: true })
  }
  const { lease } = asked
  if (lease !== '' && !lease.startsWith(`${path}/`)) refuse('the lease is not of this path')
  const kept = await keptAt(call, { core, scope, view, mount, path, asked })
  const told = { path, version: asked.version, lease: lease === '' ? null : lease, ...kept }
  if (!hasSudo(call)) return { ...told, last_read: null, no_read_since: null, may_read: null }
  const namespace = turn.ns.prefix === '' ? 'root' : turn.ns.id
  const { read, since } = await lastRead(
    core.audit,
    lease === '' ? { namespace, path: readAt } : { namespace, lease },
  )
  const who = { path: readAt, operation: 'read', after: undefined, limit: 1_000 } as const
  const { policies, tokens, next, entities, groups } = (await whoMay(call, core, who)) ?? {}
  return {
    ...told,
    last_read: read ?? null,
    no_read_since: read ? null : (since ?? null),
    may_read: { policies, tokens, more_tokens: next !== null, entities, groups },
  }
}

/** As a request names it that reads what an index of fingerprints calls by this path. */
function readPath({ entry, engine }: Mount, path: string): string {
  const below = path.slice(entry.path.length)
  const right = engine.tree?.rights('read', below).find(({ operation }) => operation === 'read')
  return entry.path + (right?.path ?? below)
}

async function mayDescribe(view: TreeView, mount: Mount | undefined, path: string) {
  return mount?.engine.tree !== undefined && view.may(await view.at(path), 'describe')
}

type Place = {
  core: Core
  scope: Scope
  view: TreeView
  mount: Mount | undefined
  path: string
  asked: Asked
}

async function keptAt(call: Call<never>, place: Place): Promise<Kept> {
  const { scope, view, mount, path, asked } = place
  const none: Kept = { live: null, current_version: null, changed_time: null }
  if (!mount) return { ...none, live: false }
  if (asked.lease !== '') {
    const lease = await leaseHere(call, asked.lease)
    const live = lease !== undefined && !lease.revoking && lease.expiresAt > call.now
    return { ...none, live, changed_time: lease ? rfc3339(lease.issuedAt) : null }
  }
  if (mount.engine.tree) {
    const { tree, store, path: below } = await view.at(path)
    const leaf = await tree.export(store, below, call.now)
    if (!leaf) return { ...none, live: false }
    const at = leaf.versions[leaf.current]?.created
    return {
      live: isLive(leaf, asked.version || leaf.current, call.now),
      current_version: leaf.current,
      changed_time: at === undefined ? null : rfc3339(at),
    }
  }
  const below = path.slice(mount.entry.path.length)
  const rotated = await getRotation(scope, idOf(mount.entry.uuid, below))
  if (!rotated?.current) return none
  const { number, publishedAt } = rotated.current
  const live = (asked.version || number) === number
  return { live, current_version: number, changed_time: rfc3339(publishedAt) }
}
