/**
 * Ceremonies: key holders come one after the other and each gives a share. What they share is an
 * attempt, of which there is one at a time. It lies in the store under the barrier, so that it does
 * not matter which process a holder reaches; a share that was given is there for ten minutes at most.
 * The transaction orders those who come at once, and gives the end to one of them.
 *
 * Those who have only shares have no token, so starting and giving shares asks for none. That would
 * let anyone on the network hold the one place or throw others out of it, hence: nobody starts over
 * an attempt in progress; cancelling takes its nonce while no share was given, and a token with sudo
 * on the path at any time; and an attempt that nobody goes on with lapses by itself.
 */
import { type Tx } from '../../barrier/space.ts'
import { type Call } from '../../kit/call.ts'
import { type Core } from '../core.ts'
import { type PassingEntry, putPassing } from '../passing.ts'
import { turnOf, txOf } from '../turn.ts'

const IDLE_MS_MAX = 10 * 60_000
export const CEREMONIES = 'sys/ceremony/'

export type Attempt = {
  readonly nonce: string
  /** In hex, in the order they came. */
  readonly shares: readonly string[]
}

type Stored<A extends Attempt> = PassingEntry & { attempt: A }

/** The one place an attempt can have. */
export type Slot<A extends Attempt> = {
  current(call: Call<never>): Promise<A | undefined>
  /** Somebody went on with it: its time begins anew. */
  put(call: Call<never>, attempt: A): void
  drop(tx: Tx): void
}

export function slot<A extends Attempt>(name: string): Slot<A> {
  const path = `${CEREMONIES}${name}`
  return {
    async current(call) {
      const stored = await txOf(call).get<Stored<A>>(path)
      return stored && stored.expiresAt >= call.now ? stored.attempt : undefined
    },
    put(call, attempt) {
      const expiresAt = call.now + IDLE_MS_MAX
      const after = { kind: 'passing', path, expiresAt, attempt } as Stored<A>
      // If the answer cannot be audited, the step has not been taken.
      turnOf(call).made.step = { before: txOf(call).get(path), after }
      putPassing(txOf(call), after)
    },
    drop: (tx) => tx.remove(path),
  }
}

/**
 * Ends every ceremony: whoever seals the server wants nothing to go on. A store that cannot be
 * written must not keep anyone from sealing, so that is only told to the log.
 */
export async function dropCeremonies(core: Core): Promise<void> {
  try {
    const tx = await core.begin(false)
    if (!tx) return
    for (const name of await tx.list(CEREMONIES)) tx.remove(CEREMONIES + name)
    if (tx.dirty) await core.commit(tx)
  } catch {
    core.log('error', 'the ceremonies in progress could not be ended; they lapse by themselves')
  }
}
