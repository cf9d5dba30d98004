/** Leases as operators see them: one by one, by prefix, and those that could not be ended. */
import { type Scope } from '../../barrier/space.ts'
import { type Call } from '../../kit/call.ts'
import { Failure, refuse } from '../../kit/failure.ts'
import { type Endpoint, endpoint } from '../../kit/engine.ts'
import { accepted } from '../../kit/reply.ts'
import { rfc3339 } from '../../lib/clock.ts'
import { t } from '../../schema/field.ts'
import { type Core } from '../core.ts'
import { type LeaseEntry, leasesUnder } from '../leases.ts'
import { isWithin, namespacesOf, scopeIn } from '../namespaces.ts'
import { scopeOf, turnOf, txOf } from '../turn.ts'
import { leaseHere, namespacePathOf } from './leases-here.ts'
import { renewEndpoints } from './leases-renew.ts'
import { revokeEndpoints } from './leases-revoke.ts'

export function leaseEndpoints(core: Core): Endpoint[] {
  return [
    lookupEndpoint(),
    listEndpoint(),
    irrevocableEndpoint(core),
    countEndpoint(core),
    tidyEndpoint(),
    ...renewEndpoints(core),
    ...revokeEndpoints(core),
  ]
}

const TIDY_STARTED =
  'Tidy operation successfully started. Any information from the operation will be printed to' +
  " Vault's server logs."
const LISTED_MAX = 10_000

/** Names below a prefix; a folder ends in `/`. */
async function names(call: Call<never>, prefix: string) {
  const under = prefix === '' || prefix.endsWith('/') ? prefix : `${prefix}/`
  return { keys: await scopeOf(call).list(`lease/${under}`) }
}

/** One path for two things: a look-up by body, and the list of what lies at the top. */
function lookupEndpoint(): Endpoint {
  return endpoint('leases/lookup', {
    help: 'What is known of a lease; the first segments of all lease ids.',
    access: 'sudo',
    accessFor: ['list'],
    fields: { lease_id: t.string({ help: 'The lease.', clear: true }) },
    async write(call) {
      const { lease_id: id } = call.data
      if (!id) refuse('lease_id must be specified')
      const entry = await leaseHere(call as never, id)
      const gone = !entry || (entry.revoking && !entry.irrevocable)
      if (gone || (!entry.irrevocable && entry.expiresAt <= call.now)) refuse('invalid lease')
      return {
        id: entry.id,
        issue_time: rfc3339(entry.issuedAt),
        expire_time: rfc3339(entry.expiresAt),
        last_renewal: entry.lastRenewalAt === undefined ? null : rfc3339(entry.lastRenewalAt),
        renewable: entry.renewable && !entry.irrevocable,
        ttl: Math.max(Math.floor((entry.expiresAt - call.now) / 1000), 0),
        ...(await namespacePathOf(call as never, entry)),
      }
    },
    list: (call) => names(call as never, ''),
  })
}

function listEndpoint(): Endpoint {
  return endpoint('leases/lookup/:prefix*', {
    help: 'The leases and folders below a prefix.',
    access: 'sudo',
    fields: { prefix: t.rest({ help: 'A prefix of lease ids, up to a slash.' }) },
    list: (call) => names(call as never, call.data.prefix),
  })
}

type Irrevocable = { leases: LeaseEntry[]; counts: Record<string, number> }

type Asked = { type: string | undefined; include_child_namespaces: boolean | undefined }

/** Those whose engine has failed too often, counted by the accessor of their mount. */
async function irrevocable(core: Core, call: Call<Asked>): Promise<Irrevocable> {
  if (call.data.type !== 'irrevocable') refuse('type must be "irrevocable"')
  const found: Irrevocable = { leases: [], counts: {} }
  const { ns } = turnOf(call as never)
  const tx = txOf(call as never)
  const all = call.data.include_child_namespaces ? await namespacesOf(tx) : undefined
  const below = [...(all?.byPath.values() ?? [])].filter(
    (one) => one.uuid !== ns.uuid && isWithin(one, ns),
  )
  for (const one of [ns, ...below]) await addIrrevocable(core, scopeIn(tx, one), found)
  return found
}

async function addIrrevocable(core: Core, scope: Scope, found: Irrevocable): Promise<void> {
  const mounts = await core.mounts.all(scope)
  const accessors = new Map(mounts.map(({ entry }) => [entry.uuid, entry.accessor]))
  for (const lease of await leasesUnder(scope, '')) {
    if (!lease.irrevocable) continue
    found.leases.push(lease)
    const name = accessors.get(lease.mount) ?? 'mount no longer exists'
    found.counts[name] = (found.counts[name] ?? 0) + 1
  }
}

const type = t.string({ help: 'Only "irrevocable" is known.', clear: true })

const belowToo = t.bool({ help: 'Those of the namespaces below too.', clear: true })

function countEndpoint(core: Core): Endpoint {
  return endpoint('leases/count', {
    help: 'How many leases could not be ended, by mount.',
    fields: {
      type,
      include_child_namespaces: belowToo,
    },
    async read(call) {
      const { leases, counts } = await irrevocable(core, call)
      return { lease_count: leases.length, counts }
    },
  })
}

function irrevocableEndpoint(core: Core): Endpoint {
  return endpoint('leases', {
    help: 'The leases that could not be ended, with what their engines said.',
    access: 'sudo',
    fields: {
      type,
      limit: t.string({ help: 'How many at most, or "none".', clear: true }),
      include_child_namespaces: belowToo,
    },
    async read(call) {
      const max = listedMax(call.data.limit)
      const { leases, counts } = await irrevocable(core, call)
      if (leases.length > max) {
        call.warn(`Command stopped after ${max} leases; use the limit parameter to see more.`)
      }
      return {
        lease_count: leases.length,
        counts,
        leases: leases.slice(0, max).map(({ id, trouble }) => ({ lease_id: id, error: trouble })),
      }
    },
  })
}

function listedMax(limit: string | undefined): number {
  if (limit === undefined || limit === '') return LISTED_MAX
  if (limit === 'none') return Infinity
  if (!/^\d{1,9}$/.test(limit) || Number(limit) === 0) {
    throw new Failure('bad_request', 'limit must be a whole number above zero, or "none"')
  }
  return Number(limit)
}

/** A lease and its index are one write, so there is nothing that could be left to tidy. */
function tidyEndpoint(): Endpoint {
  return endpoint('leases/tidy', {
    help: 'Accepted for the sake of old habits: leases are never left dangling.',
    fields: {},
    write: () => accepted(TIDY_STARTED),
  })
}
