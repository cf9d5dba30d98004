/**
 * New unseal keys (or recovery keys) from a quorum of the old ones. The new shares are in force when
 * the last old one was given, or, if asked for, when enough of the new ones were given back. The
 * seal changes in one write after the audit entry of the request; if the answer that carries the
 * new shares cannot be given, the old seal comes back. Who may do what: keys-attempt.ts.
 */
import { checkSplit, type SplitRequest } from '../../barrier/seal.ts'
import { type Call } from '../../kit/call.ts'
import { Failure, refuse } from '../../kit/failure.ts'
import { type Endpoint, endpoint } from '../../kit/engine.ts'
import { bare, type Reply } from '../../kit/reply.ts'
import { t } from '../../schema/field.ts'
import { type Core } from '../core.ts'
import { installSeal, type NewSeal } from '../reshare.ts'
import { turnOf, txOf } from '../turn.ts'
import { type Attempt, type Slot, slot } from './ceremonies.ts'
import {
  afterCommit,
  checkCancel,
  type Given,
  newAttempt,
  refuseAndKeep,
  sharesRequired,
  takeShare,
} from './keys-attempt.ts'
import { verifyEndpoint } from './rekey-verify.ts'

export type Rekey = Attempt & {
  readonly request: SplitRequest
  readonly verify: boolean
  /** The new seal, while enough of its shares are waited for. */
  readonly pending?: Pending
}
export type Pending = Attempt & { readonly seal: NewSeal }
export type RekeyPlace = { readonly base: string; readonly kind: Kind; readonly slot: Slot<Rekey> }
type Kind = 'barrier' | 'recovery'

export function rekeyEndpoints(core: Core): Endpoint[] {
  const places: [string, Kind][] = [
    ['rekey', 'barrier'],
    ['rekey-recovery-key', 'recovery'],
  ]
  const each = places.flatMap(([base, kind]) => {
    const place: RekeyPlace = { base, kind, slot: slot<Rekey>(base) }
    return [initEndpoint(core, place), updateEndpoint(core, place), verifyEndpoint(core, place)]
  })
  return [...each, backupEndpoint('rekey/backup'), backupEndpoint('rekey/recovery-key-backup')]
}

/** Unseal keys are for seals that people open; recovery keys for those that open by themselves. */
async function checkKind(core: Core, kind: Kind): Promise<void> {
  const type = (await core.keeper.config())?.type
  if (type === 'shamir' && kind === 'recovery') refuse('recovery rekeying not supported')
  if (type !== 'shamir' && kind === 'barrier') {
    refuse('rekeying the barrier is not supported by a seal that opens by itself')
  }
}

async function status(core: Core, rekey: Rekey | undefined): Promise<Reply> {
  return bare({
    nonce: rekey?.nonce ?? '',
    started: rekey !== undefined,
    t: rekey?.request.threshold ?? 0,
    n: rekey?.request.shares ?? 0,
    progress: rekey?.pending ? 0 : (rekey?.shares.length ?? 0),
    required: await sharesRequired(core),
    pgp_fingerprints: null,
    backup: false,
    verification_required: rekey?.verify ?? false,
    ...(rekey?.pending && { verification_nonce: rekey.pending.nonce }),
  })
}

function initEndpoint(core: Core, { base, kind, slot: place }: RekeyPlace): Endpoint {
  return endpoint(`${base}/init`, {
    help: 'Starts, shows or cancels the making of new keys.',
    access: 'public',
    fields: {
      secret_shares: t.int({ help: 'How many new keys to make.', default: 0, clear: true }),
      secret_threshold: t.int({ help: 'How many of them unseal.', default: 0, clear: true }),
      require_verification: t.bool({
        help: 'Whether the new keys count only after enough of them were given back.',
        default: false,
        clear: true,
      }),
      backup: t.bool({ help: 'Not supported by this build.', default: false }),
      pgp_keys: t.list({ help: 'Not supported by this build.', default: [] }),
      nonce: t.string({ help: 'Of the attempt that is to be cancelled.', clear: true }),
    },
    read: async (call) => status(core, await place.current(call as never)),
    async write(call) {
      const { data } = call
      await checkKind(core, kind)
      if (await place.current(call as never)) refuse('rekey already in progress')
      if (data.pgp_keys.length > 0) {
        refuse('pgp_keys: encrypting keys with PGP is not supported by this build')
      }
      if (data.backup) {
        refuse('cannot request a backup of the new keys without providing PGP keys for encryption')
      }
      const request = { shares: data.secret_shares, threshold: data.secret_threshold }
      const problem = checkSplit(request)
      if (problem) refuse(`invalid rekey seal configuration: ${problem}`)
      const rekey: Rekey = { ...newAttempt(core), request, verify: data.require_verification }
      place.put(call as never, rekey)
      return status(core, rekey)
    },
    async delete(call) {
      const rekey = await place.current(call as never)
      if (!rekey) return undefined
      await checkCancel(core, call, rekey)
      place.drop(txOf(call as never))
      return undefined
    },
  })
}

function updateEndpoint(core: Core, { base, kind, slot: place }: RekeyPlace): Endpoint {
  const words = {
    none: `no ${kind} rekey in progress`,
    operation: 'rekey',
    duplicate: 'given key has already been provided during this rekey operation',
  }
  return endpoint(`${base}/update`, {
    help: 'Takes one of the old keys; gives the new ones when there are enough.',
    access: 'public',
    fields: {
      key: t.string({ help: 'One key, in hex or base64.', sensitive: true }),
      nonce: t.string({ help: 'Of the attempt.', clear: true }),
    },
    async write(call: Call<Given>) {
      const plain = call as never
      const present = await place.current(plain)
      if (present?.pending) {
        refuse(
          'the new keys wait to be verified; nonce for the verification operation is ' +
            `"${present.pending.nonce}"`,
        )
      }
      const required = await sharesRequired(core)
      const { attempt: rekey, enough } = takeShare(present, call, { words, required })
      place.put(plain, rekey)
      if (!enough) return status(core, rekey)
      if (!(await core.keeper.proves(enough))) {
        place.put(plain, { ...rekey, shares: [] })
        refuseAndKeep(plain, 'rekey failed: the keys do not fit; all of them must be given again')
      }
      return finish(core, plain, { rekey, place })
    },
  })
}

async function finish(
  core: Core,
  call: Call<never>,
  { rekey, place }: { rekey: Rekey; place: Slot<Rekey> },
): Promise<Reply> {
  const turn = turnOf(call)
  const { shares, seal } = await core.keeper.reshare(rekey.request)
  const hex = shares.map((share) => Buffer.from(share).toString('hex'))
  const base64 = shares.map((share) => Buffer.from(share).toString('base64'))
  const pending = rekey.verify ? { ...newAttempt(core), seal } : undefined
  let undo: (() => Promise<void>) | undefined
  if (pending) {
    place.put(call, { ...rekey, shares: [], pending })
    undo = () => dropLater(core, place)
  } else {
    // Before the seal changes: of many with the last share, one commits this and goes on.
    place.drop(txOf(call))
    afterCommit(call, async () => {
      undo = await installSeal(core.store, seal)
    })
  }
  // Shares that nobody was told must not be the ones that count.
  turn.afterReply.push(() => {
    if (turn.refusal === undefined || !undo) return
    undo().catch(() => core.log('error', 'the old seal could not be put back'))
  })
  return bare({
    nonce: rekey.nonce,
    complete: true,
    keys: hex,
    keys_base64: base64,
    pgp_fingerprints: null,
    backup: false,
    verification_required: rekey.verify,
    ...(pending && { verification_nonce: pending.nonce }),
  })
}

async function dropLater(core: Core, place: Slot<Rekey>): Promise<void> {
  const tx = await core.begin(false)
  if (!tx) return
  place.drop(tx)
  await core.commit(tx)
}

/** Backups are of PGP-encrypted keys, which this build does not make. */
function backupEndpoint(path: string): Endpoint {
  return endpoint(path, {
    help: 'The backup of new keys; there is never one.',
    injected: true,
    fields: {},
    read() {
      throw new Failure('bad_request', 'no backed-up keys found')
    },
    delete: () => undefined,
  })
}
