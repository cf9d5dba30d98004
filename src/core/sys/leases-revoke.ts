/**
 * Ending leases before their time. They are marked in the request's own transaction, and from its
 * commit on they count as gone; the engines do their part after it. `sync` only says whether the
 * answer waits for that: what is marked is ended by expiry even if this process dies now.
 */
import { type Call } from '../../kit/call.ts'
import { Failure, refuse } from '../../kit/failure.ts'
import { type Endpoint, endpoint } from '../../kit/engine.ts'
import { accepted, type Answer } from '../../kit/reply.ts'
import { t } from '../../schema/field.ts'
import { type Scope, type Tx } from '../../barrier/space.ts'
import { type Core } from '../core.ts'
import { leaseHere } from './leases-here.ts'
import { leasesUnder, startRevoking } from '../leases.ts'
import { scopeOf, turnOf, txOf } from '../turn.ts'

export function revokeEndpoints(core: Core): Endpoint[] {
  return ['leases/', ''].flatMap((base) => [
    ...revokeOne(core, `${base}revoke`),
    revokePrefix(core, `${base}revoke-prefix`),
    revokeForce(core, `${base}revoke-force`),
  ])
}

const sync = t.bool({ help: 'Answer only when it has ended.', default: true, clear: true })
const prefix = t.rest({ help: 'A lease id, or the path before its last segments.' })

function revokeOne(core: Core, path: string): Endpoint[] {
  const about = { help: 'Ends a lease. One that is not there has ended already.' }
  const fields = { lease_id: t.string({ help: 'The lease.', clear: true }), sync }
  async function revoke(call: Call<{ lease_id?: string | undefined; sync: boolean }>, id: string) {
    if (!id) refuse('lease_id must be specified')
    const tx = txOf(call as never)
    const entry = await leaseHere(call as never, id)
    return end(core, call, entry ? [startRevoking(tx, entry, call.now).id] : [])
  }
  return [
    endpoint(path, {
      ...about,
      fields,
      write: (call) => revoke(call, call.data.lease_id ?? ''),
    }),
    endpoint(`${path}/:url_lease_id*`, {
      ...about,
      fields: { ...fields, url_lease_id: t.rest({ help: 'The lease.' }) },
      write: (call) => revoke(call, call.data.url_lease_id || (call.data.lease_id ?? '')),
    }),
  ]
}

type PrefixCall = Call<{ prefix: string; sync?: boolean }>

function revokePrefix(core: Core, path: string): Endpoint {
  return endpoint(`${path}/:prefix*`, {
    help: 'Ends every lease below a prefix, and the tokens that were issued there.',
    access: 'sudo',
    fields: { prefix, sync },
    write: async (call) => end(core, call, await startAll(core, call)),
  })
}

function revokeForce(core: Core, path: string): Endpoint {
  return endpoint(`${path}/:prefix*`, {
    help: 'As revoke-prefix, and forgets the leases whatever their engines say.',
    access: 'sudo',
    fields: { prefix },
    async write(call) {
      const ids = await startAll(core, call)
      turnOf(call as never).afterCommit.push(async () => {
        await core.expiry.leases.endAll(ids, { force: true })
      })
      return undefined
    },
  })
}

/** Marks all that lies below the prefix; the ids of the leases. */
async function startAll(core: Core, call: PrefixCall): Promise<string[]> {
  // An empty prefix would be every lease there is, which nobody asks for on purpose.
  if (call.data.prefix === '') throw new Failure('unsupported_path', undefined, { wrapped: true })
  const tx = txOf(call as never)
  const scope = scopeOf(call as never)
  const leases = await leasesUnder(scope, call.data.prefix)
  for (const entry of leases) startRevoking(tx, entry, call.now)
  if (call.data.prefix.startsWith('auth/')) {
    await endTokens(core, { tx, scope }, call.data.prefix)
  }
  return leases.map(({ id }) => id)
}

/** Tokens that expire count as leases of the path that issued them; root tokens do not. */
async function endTokens(
  core: Core,
  { tx, scope }: { tx: Tx; scope: Scope },
  under: string,
): Promise<void> {
  for (const accessor of await core.tokens.accessors(scope)) {
    const entry = await core.tokens.byAccessor(tx, accessor, 0)
    if (!entry || entry.expiresAt === 0) continue
    if (`${entry.path}/`.startsWith(`${under}/`)) await core.tokens.revokeTree(tx, entry)
  }
}

function end(core: Core, call: Call<{ sync?: boolean }>, ids: readonly string[]): Answer {
  if (!call.data.sync) return accepted()
  turnOf(call as never).afterCommit.push(async () => {
    const { failed } = await core.expiry.leases.endAll(ids)
    if (failed > 0) {
      refuse(
        `failed to revoke ${failed} of ${ids.length} leases: the engine could not end them yet and` +
          " will be asked again; the server's log says why",
      )
    }
  })
  return undefined
}
