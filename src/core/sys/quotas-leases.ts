/** Lease count quotas: how many leases and tokens there may be at a time below a place. */
import { type Tx } from '../../barrier/space.ts'
import { type Call } from '../../kit/call.ts'
import { type Endpoint, endpoint } from '../../kit/engine.ts'
import { refuse } from '../../kit/failure.ts'
import { breather } from '../../lib/breathe.ts'
import { uuid } from '../../lib/random.ts'
import { t } from '../../schema/field.ts'
import { type Core } from '../core.ts'
import { dropLeaseCount, fits, isCounted, leaseCount } from '../lease-counts.ts'
import { type LeaseCountQuota, setLeaseCount } from '../lease-counts.ts'
import { leasesUnder } from '../leases.ts'
import { namespacesOf, ROOT, scopeIn } from '../namespaces.ts'
import { quotaTable, saveQuotaTable } from '../quotas.ts'
import { type TokenEntry } from '../tokens.ts'
import { txOf } from '../turn.ts'
import { placeOf, QUOTAS_MAX } from './quotas.ts'

const LEASES_MAX = 10_000_000

const FIELDS = {
  name: t.name({ help: 'Name of the quota.' }),
  type: t.string({ help: 'Always lease-count.', clear: true }),
  path: t.string({
    help: 'A namespace, a mount or a path, which may end in a star; empty for the server.',
    clear: true,
  }),
  role: t.string({ help: 'Not supported; give the path of a login instead.', clear: true }),
  max_leases: t.int({ help: 'How many there may be at a time.', clear: true }),
  inheritable: t.bool({
    help: 'Of a namespace: whether it is for those below as well.',
    clear: true,
  }),
}

type Change = {
  name: string
  type: string | undefined
  path: string | undefined
  role: string | undefined
  max_leases: number | undefined
  inheritable: boolean | undefined
}

const leasesOf = async (tx: Tx) => {
  const table = await quotaTable(tx)
  return { table, leases: table.leases ?? [] }
}

export function leaseCountEndpoints(core: Core): Endpoint[] {
  return [
    endpoint('quotas/lease-count', {
      help: 'Names of the lease count quotas.',
      fields: {},
      async list(call) {
        const { leases } = await leasesOf(txOf(call as never))
        return { keys: leases.map(({ name }) => name) }
      },
    }),
    endpoint('quotas/lease-count/:name', {
      help: 'How many leases and tokens there may be at a time below a place.',
      fields: FIELDS,
      async read(call) {
        const tx = txOf(call as never)
        const found = (await leasesOf(tx)).leases.find(({ name }) => name === call.data.name)
        if (!found) return undefined
        const { uid, kind: _, ...settings } = found
        return { ...settings, role: '', type: 'lease-count', counter: await leaseCount(tx, uid) }
      },
      write: (call) => write(call, core),
      async delete(call) {
        const tx = txOf(call as never)
        const { table, leases } = await leasesOf(tx)
        const found = leases.find(({ name }) => name === call.data.name)
        if (!found) return undefined
        dropLeaseCount(tx, found.uid)
        saveQuotaTable(tx, { ...table, leases: leases.filter((quota) => quota !== found) })
        return undefined
      },
      example: { path: 'auth/approle/', max_leases: 1000 },
    }),
  ]
}

async function write(call: Call<Change>, core: Core): Promise<undefined> {
  const { data } = call
  const tx = txOf(call as never)
  const { table, leases } = await leasesOf(tx)
  const before = leases.find(({ name }) => name === data.name)
  if (data.type && data.type !== 'lease-count') refuse('quota type must be lease-count')
  if (data.role) refuse('a lease count quota takes no role: give the path of the login')
  const { path, kind } = await placeOf(call, core, data.path ?? before?.path ?? '')
  const inheritable = data.inheritable ?? (before?.path === path ? before.inheritable : path === '')
  if (inheritable && kind !== 'namespace') {
    refuse('only quotas of the server or a namespace can be inheritable')
  }
  const next: LeaseCountQuota = {
    name: data.name,
    uid: uuid(call.random),
    path,
    kind: kind === 'auth mount' ? 'mount' : kind,
    max_leases: checkedMax(data.max_leases ?? before?.max_leases),
    inheritable,
  }
  const others = leases.filter((quota) => quota !== before)
  const same = others.find((other) => other.path === path)
  if (same) refuse(`quota rule with similar properties exists under the name "${same.name}"`)
  if (others.length >= QUOTAS_MAX) refuse(`there can be ${QUOTAS_MAX} quotas`)
  if (before?.path === path && before.inheritable === inheritable) next.uid = before.uid
  else {
    if (before) dropLeaseCount(tx, before.uid)
    // Beside the request, where what is made meanwhile does not have it begin again.
    const aside = await core.begin(false)
    setLeaseCount(tx, next.uid, aside ? await countLeases(aside, next) : 0)
  }
  const all = [...others, next].sort((a, b) => (a.name < b.name ? -1 : 1))
  saveQuotaTable(tx, { ...table, leases: all })
  return undefined
}

function checkedMax(given: number | undefined): number {
  if (given === undefined || given < 1) refuse('invalid max_leases: it must be greater than 0')
  if (given > LEASES_MAX) refuse(`invalid max_leases: it must be at most ${LEASES_MAX}`)
  return given
}

/** How many there are when a quota begins to count. */
async function countLeases(tx: Tx, quota: LeaseCountQuota): Promise<number> {
  const all = [ROOT, ...((await namespacesOf(tx))?.byPath.values() ?? [])]
  const rest = breather()
  let count = 0
  for (const namespace of new Set(all)) {
    const within = (path: string) =>
      fits(quota, { namespace: namespace.path, path: namespace.path + path })
    const scope = scopeIn(tx, namespace)
    for (const uid of await scope.list('token/')) {
      const token = await scope.get<TokenEntry>(`token/${uid}`)
      if (token && isCounted(token) && within(token.path)) count++
      await rest(1)
    }
    for (const { id } of await leasesUnder(scope, '')) if (within(id)) count++
  }
  return count
}
