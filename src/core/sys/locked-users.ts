/** Who is locked out after failed logins, in this namespace and those below; and letting them in again. */
import { type Call } from '../../kit/call.ts'
import { type Endpoint, endpoint } from '../../kit/engine.ts'
import { refuse } from '../../kit/failure.ts'
import { withStatus } from '../../kit/reply.ts'
import { t } from '../../schema/field.ts'
import { type Core } from '../core.ts'
import { lockedUsers, unlockUser } from '../lockout.ts'
import { isWithin, type Namespace, namespacesOf, ROOT, scopeIn } from '../namespaces.ts'
import { scopeOf, turnOf, txOf } from '../turn.ts'

export function lockedUsersEndpoints(core: Core): Endpoint[] {
  return [
    endpoint('locked-users', {
      help: 'Users who are locked out after failed logins, by namespace and mount.',
      fields: {
        mount_accessor: t.string({ help: 'Only those of this auth mount.', default: '' }),
      },
      read: (call) => locked(call, core),
    }),
    endpoint('locked-users/:mount_accessor/unlock/:alias_identifier', {
      help: 'Ends the lock of a user and forgets the failed logins.',
      fields: {
        mount_accessor: t.segment({ help: 'Accessor of the auth mount.' }),
        alias_identifier: t.segment({
          help: 'The user as the list shows it: a name of userpass or ldap, a role id of approle.',
        }),
      },
      async write(call) {
        const { mount_accessor: accessor, alias_identifier: alias } = call.data
        const { mounts } = await core.mounts.table(scopeOf(call as never))
        const entry = mounts.find((one) => one.accessor === accessor && one.class === 'auth')
        if (!entry)
          refuse(`mount accessor ${JSON.stringify(accessor)} is not that of an auth mount`)
        await unlockUser(txOf(call as never), entry, { alias, now: call.now })
        return undefined
      },
    }),
  ]
}

async function locked(call: Call<{ mount_accessor: string }>, core: Core) {
  const by_namespace: Record<string, unknown>[] = []
  let total = 0
  for (const namespace of await namespacesHere(call)) {
    const mount_accessors = await lockedIn(call, core, namespace)
    if (mount_accessors.length === 0) continue
    const counts = mount_accessors.reduce((sum, mount) => sum + mount.counts, 0)
    total += counts
    const { id, path } = namespace
    by_namespace.push({ namespace_id: id, namespace_path: path, counts, mount_accessors })
  }
  return total === 0 ? withStatus(204) : { by_namespace, total }
}

/** The namespace of the request, and those below it. */
async function namespacesHere(call: Call<unknown>): Promise<Namespace[]> {
  const { ns } = turnOf(call as never)
  const all = await namespacesOf(txOf(call as never))
  return [ROOT, ...(all?.byPath.values() ?? [])].filter((one) => isWithin(one, ns))
}

async function lockedIn(call: Call<{ mount_accessor: string }>, core: Core, namespace: Namespace) {
  const tx = txOf(call as never)
  const only = call.data.mount_accessor
  const found = []
  for (const entry of (await core.mounts.table(scopeIn(tx, namespace))).mounts) {
    if (entry.class !== 'auth' || (only !== '' && entry.accessor !== only)) continue
    const users = await lockedUsers(tx, entry, call.now)
    if (users.length === 0) continue
    found.push({ mount_accessor: entry.accessor, counts: users.length, alias_identifiers: users })
  }
  return found
}
