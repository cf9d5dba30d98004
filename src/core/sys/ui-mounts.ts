/**
 * `sys/internal/ui`: what user interfaces and the CLI ask before they know what they may do. The
 * mounts need no token, so whoever brings one is looked up here, as the pipeline would.
 */
import { type Call } from '../../kit/call.ts'
import { type Endpoint, endpoint } from '../../kit/engine.ts'
import { Failure } from '../../kit/failure.ts'
import { t } from '../../schema/field.ts'
import { type Acl } from '../acl.ts'
import { type Core } from '../core.ts'
import { type Mount, type MountEntry } from '../mounts.ts'
import { fromAllowedAddress } from '../who-is-asking.ts'
import {
  findNamespace,
  isWithin,
  lockedAt,
  namespaceById,
  namespacesOf,
  scopeIn,
} from '../namespaces.ts'
import { policyPathOf, scopeOf, turnOf, txOf } from '../turn.ts'
import { mountInfo, publicInfo } from './mount-info.ts'
import { byListedPath } from './mounts.ts'

export function uiMountsEndpoints(core: Core): Endpoint[] {
  return [
    endpoint('internal/ui/mounts', {
      help: 'The mounts the caller can do something with; without a token, those shown to all.',
      access: 'public',
      fields: {},
      async read(call) {
        const plain = call as never
        const asker = await aclOfAsker(plain, core)
        const { mounts } = await core.mounts.table(scopeOf(plain))
        const seen = mounts.filter((entry) => isPublic(entry) || asker?.anyBelow(entry.path))
        const info = asker ? mountInfo : publicInfo
        return {
          secret: byListedPath(seen, 'secret', info),
          auth: byListedPath(seen, 'auth', info),
        }
      },
    }),
    endpoint('internal/ui/mounts/:path*', {
      help: 'The mount a path is on, for those who have some capability below that mount.',
      access: 'public',
      fields: { path: t.rest({ help: 'A path on the mount.' }) },
      async read(call) {
        const plain = call as never
        const path = call.data.path.replace(/\/$/, '')
        const asker = await aclOfAsker(plain, core)
        const { below, mount } = await findMountOf(plain, core, path)
        // The same answer for a mount that is missing: nobody learns what there is.
        if (!mount || !asker?.anyBelow(below + mount.entry.path)) {
          throw new Failure(
            'permission_denied',
            "preflight capability check returned 403, please ensure client's policies grant " +
              `access to path "${path}/"`,
          )
        }
        return { ...mountInfo(mount.entry), path: below + mount.entry.path }
      },
    }),
    endpoint('internal/ui/resultant-acl', {
      help: 'What the token may do, as one table.',
      fields: {},
      read: (call) => turnOf(call as never).acl!.resultant(),
    }),
  ]
}

/** The mount of a path, which may begin with namespaces below; `below` is those. */
async function findMountOf(
  call: Call<never>,
  core: Core,
  path: string,
): Promise<{ below: string; mount: Mount | undefined }> {
  const { ns } = turnOf(call)
  const tx = txOf(call)
  const found = findNamespace(await namespacesOf(tx), ns.path.slice(0, -1), path)
  const { namespace } = found
  const mount = lockedAt(namespace)
    ? undefined
    : await core.mounts.find(scopeIn(tx, namespace), found.path)
  return { below: namespace.path.slice(ns.path.length), mount }
}

const isPublic = ({ config }: MountEntry) => config.listing_visibility === 'unauth'

/** The ACL of whoever asks, for paths as this namespace names them. */
export type Asker = Pick<Acl, 'anyBelow' | 'check'>

/** Undefined when nobody says who they are; a token that is not valid is refused. */
export async function aclOfAsker(call: Call<never>, core: Core): Promise<Asker | undefined> {
  const { request, now, ns } = turnOf(call)
  if (!request.token) return undefined
  const tx = txOf(call)
  const token = await core.tokens.find(tx, request.token, now)
  if (!token || !fromAllowedAddress(token.boundCidrs, request.remoteAddress)) {
    throw new Failure('permission_denied')
  }
  const tokenNs = await namespaceById(tx, token.namespace?.id)
  if (!tokenNs || !isWithin(ns, tokenNs)) throw new Failure('permission_denied')
  const { acl } = await core.grantsOf(tx, token)
  const named = (path: string) => policyPathOf({ ns, tokenNs }, path)
  return {
    anyBelow: (path) => acl.anyBelow(named(path)),
    check: (asked) => acl.check({ ...asked, path: named(asked.path) }),
  }
}
