/** The last step of a careful rekey: the new keys are given back before they replace the old. */
import { type Call } from '../../kit/call.ts'
import { refuse } from '../../kit/failure.ts'
import { type Endpoint, endpoint } from '../../kit/engine.ts'
import { bare, type Reply } from '../../kit/reply.ts'
import { uuid } from '../../lib/random.ts'
import { t } from '../../schema/field.ts'
import { type Core } from '../core.ts'
import { turnOf } from '../turn.ts'
import { checkCancel, forgetShares, type Given, takeShare } from './keys-attempt.ts'
import { type Rekey, type RekeyPlace } from './rekey.ts'

const WORDS = {
  none: 'no rekey verification in progress',
  operation: 'verify',
  duplicate: 'given key has already been provided during this verify operation',
}

function status(rekey: Rekey | undefined): Reply {
  const pending = rekey?.pending
  return bare({
    nonce: pending?.attempt.nonce ?? '',
    started: pending !== undefined,
    t: pending ? rekey.request.threshold : 0,
    n: pending ? rekey.request.shares : 0,
    progress: pending?.attempt.shares.size ?? 0,
  })
}

export function verifyEndpoint(core: Core, { base, slot: place }: RekeyPlace): Endpoint {
  return endpoint(`${base}/verify`, {
    help: 'Takes one of the new keys; puts them in force when there are enough.',
    access: 'public',
    fields: {
      key: t.string({ help: 'One key, in hex or base64.', sensitive: true }),
      nonce: t.string({ help: 'Of the verification.', clear: true }),
    },
    read: () => status(place.current()),
    async write(call: Call<Given>) {
      const rekey = place.current()
      const pending = rekey?.pending
      const shares = takeShare(pending?.attempt, call, {
        words: WORDS,
        required: rekey?.request.threshold ?? 0,
      })
      if (rekey) rekey.touchedAt = call.now
      if (!pending || !shares) return status(rekey)
      if (!pending.fresh.matches(shares)) {
        forgetShares(pending.attempt)
        refuse('rekey verification failed: the keys do not fit; all of them must be given again')
      }
      const { nonce } = pending.attempt
      turnOf(call as never).afterCommit.push(async () => {
        await pending.fresh.install()
        place.drop()
      })
      return bare({ nonce, complete: true })
    },
    /** Begins the verification anew; the rekey itself is cancelled at `init`. */
    async delete(call) {
      const rekey = place.current()
      if (!rekey?.pending) return status(rekey)
      await checkCancel(core, call, rekey.pending.attempt)
      forgetShares(rekey.pending.attempt)
      rekey.pending.attempt.nonce = uuid(core.random)
      return status(rekey)
    },
  })
}
