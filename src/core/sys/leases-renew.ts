/**
 * Prolonging a lease. The new end is written first; the engine hears of it after the commit, since
 * it may have to tell a foreign system. If that fails the old end comes back, so a lease never
 * promises more than the system behind it gives.
 */
import { type Call } from '../../kit/call.ts'
import { Failure, refuse } from '../../kit/failure.ts'
import { type Endpoint, endpoint } from '../../kit/engine.ts'
import { reply } from '../../kit/reply.ts'
import { formatShortDuration } from '../../lib/duration.ts'
import { t } from '../../schema/field.ts'
import { StoreConflict } from '../../storage/store.ts'
import { type Core } from '../core.ts'
import { entriesNow } from '../entries-now.ts'
import { getLease, type LeaseEntry, saveLease } from '../leases.ts'
import { type Mount } from '../mounts.ts'
import { scopeOfHome } from '../namespaces.ts'
import { leaseHere } from './leases-here.ts'
import { turnOf, txOf } from '../turn.ts'

export function renewEndpoints(core: Core): Endpoint[] {
  return ['leases/renew', 'renew'].flatMap((path) => [
    endpoint(path, { ...about, fields, write: (call) => renew(core, call) }),
    endpoint(`${path}/:url_lease_id*`, {
      ...about,
      fields: { ...fields, url_lease_id: t.rest({ help: 'The lease.' }) },
      write: (call) => renew(core, call, call.data.url_lease_id),
    }),
  ])
}

const about = { help: 'Prolongs a lease, within its maximum counted from its issue.' }
const fields = {
  lease_id: t.string({ help: 'The lease.', clear: true }),
  increment: t.duration({ help: 'How much longer from now.', clear: true }),
}

type RenewCall = Call<{ lease_id: string | undefined; increment: number | undefined }>

async function renew(core: Core, call: RenewCall, inUrl?: string) {
  const id = inUrl || call.data.lease_id
  if (!id) refuse('lease_id must be specified')
  const tx = txOf(call as never)
  const entry = await leaseHere(call as never, id)
  if (!entry || entry.revoking) refuse('lease not found')
  if (entry.expiresAt <= call.now) refuse('lease expired')
  if (!entry.renewable) refuse('lease is not renewable')
  const scope = scopeOfHome(tx, entry.namespace)
  const mount = (await core.mounts.all(scope)).find((m) => m.entry.uuid === entry.mount)
  if (!mount) refuse('lease not found')

  const { seconds, warning } = newLife(entry, {
    now: call.now,
    increment: call.data.increment,
    maxSeconds: mount.view.maxTtlSeconds,
  })
  if (warning) call.warn(warning)
  const renewed = {
    ...entry,
    expiresAt: call.now + seconds * 1000,
    lastRenewalAt: call.now,
  }
  saveLease(tx, renewed)
  turnOf(call as never).afterCommit.push(() => tellEngine(core, mount, { entry, renewed, seconds }))
  return reply({ leased: { id: entry.id, seconds, renewable: true } })
}

/** The seconds from now, and what to say when they are fewer than asked for. */
function newLife(
  entry: LeaseEntry,
  asked: { now: number; increment: number | undefined; maxSeconds: number },
): { seconds: number; warning?: string } {
  const max = Math.min(entry.maxTtlSeconds, asked.maxSeconds)
  const left = Math.floor(max - (asked.now - entry.issuedAt) / 1000)
  if (left <= 0) refuse('past the max TTL, cannot renew')
  const wanted = asked.increment || entry.ttlSeconds
  const seconds = Math.min(wanted, left)
  if (wanted <= max) return { seconds }
  const short = formatShortDuration
  return {
    seconds,
    warning:
      `TTL of "${short(wanted)}" exceeded the effective max_ttl of "${short(max)}"; ` +
      'TTL value is capped accordingly',
  }
}

type Renewal = { entry: LeaseEntry; renewed: LeaseEntry; seconds: number }

async function tellEngine(core: Core, mount: Mount, renewal: Renewal): Promise<void> {
  const { entry, renewed, seconds } = renewal
  const kind = mount.engine.leases?.[entry.leaseKind]
  if (!kind?.renew) return
  const { id: leaseId, secret } = entry
  const now = renewed.lastRenewalAt!
  try {
    const store = entriesNow(() => core.begin(false), mount, entry.namespace)
    await kind.renew({ leaseId, secret, mount: mount.view, store, now }, seconds)
  } catch (error) {
    await takeBack(core, renewal)
    // Not a conflict of ours, whatever the engine threw: the request must not be run again.
    throw new Failure('internal', undefined, { cause: error })
  }
}

/** The old end again, unless the lease has been renewed or ended by another since. */
async function takeBack(core: Core, { entry, renewed }: Renewal): Promise<void> {
  for (let attempt = 0; attempt < 5; attempt++) {
    const tx = await core.begin(false)
    const current = tx && (await getLease(tx, entry.id))
    if (!current || current.revoking || current.expiresAt !== renewed.expiresAt) return
    saveLease(tx, entry)
    try {
      await core.commit(tx)
      return
    } catch (error) {
      if (!(error instanceof StoreConflict)) throw error
    }
  }
}
