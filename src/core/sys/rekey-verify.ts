/** The last step of a careful rekey: the new keys are given back before they replace the old. */
import { type Call } from '../../kit/call.ts'
import { type Endpoint, endpoint } from '../../kit/engine.ts'
import { bare, type Reply } from '../../kit/reply.ts'
import { t } from '../../schema/field.ts'
import { type Core } from '../core.ts'
import { fitsNewSeal, installSeal } from '../reshare.ts'
import { txOf } from '../turn.ts'
import {
  afterCommit,
  checkCancel,
  type Given,
  newAttempt,
  refuseAndKeep,
  takeShare,
} from './keys-attempt.ts'
import { type Pending, type Rekey, type RekeyPlace } from './rekey.ts'

const WORDS = {
  none: 'no rekey verification in progress',
  operation: 'verify',
  duplicate: 'given key has already been provided during this verify operation',
}

function status(rekey: Rekey | undefined): Reply {
  const pending = rekey?.pending
  return bare({
    nonce: pending?.nonce ?? '',
    started: pending !== undefined,
    t: pending ? rekey.request.threshold : 0,
    n: pending ? rekey.request.shares : 0,
    progress: pending?.shares.length ?? 0,
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
    read: async (call) => status(await place.current(call as never)),
    async write(call: Call<Given>) {
      const plain = call as never
      const rekey = await place.current(plain)
      const required = rekey?.request.threshold ?? 0
      const { attempt, enough } = takeShare(rekey?.pending, call, { words: WORDS, required })
      const put = (pending: Pending) => {
        const next: Rekey = { ...rekey!, pending }
        place.put(plain, next)
        return next
      }
      if (!enough) return status(put(attempt))
      if (!fitsNewSeal(attempt.seal, enough)) {
        put({ ...attempt, shares: [] })
        refuseAndKeep(
          plain,
          'rekey verification failed: the keys do not fit; all of them must be given again',
        )
      }
      place.drop(txOf(plain))
      afterCommit(plain, async () => void (await installSeal(core.store, attempt.seal)))
      return bare({ nonce: attempt.nonce, complete: true })
    },
    /** Begins the verification anew; the rekey itself is cancelled at `init`. */
    async delete(call) {
      const plain = call as never
      const rekey = await place.current(plain)
      if (!rekey?.pending) return status(rekey)
      await checkCancel(core, call, rekey.pending)
      const next: Rekey = { ...rekey, pending: { ...rekey.pending, ...newAttempt(core) } }
      place.put(plain, next)
      return status(next)
    },
  })
}
