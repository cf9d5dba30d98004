/**
 * Ceremonies: key holders come one after the other and each gives a share. What they share is an
 * attempt, of which there is one at a time, in the memory of this process.
 *
 * Those who have only shares have no token, so starting and giving shares asks for none. That would
 * let anyone on the network hold the one place or throw others out of it, hence: nobody starts over
 * an attempt in progress; cancelling takes its nonce while no share was given, and a token with sudo
 * on the path at any time; and an attempt that nobody goes on with lapses by itself.
 */
import { type Call } from '../../kit/call.ts'
import { Failure, refuse } from '../../kit/failure.ts'
import { uuid } from '../../lib/random.ts'
import { type Core } from '../core.ts'
import { turnOf } from '../turn.ts'
import { parseKeyShare } from './seal.ts'
import { aclOfAsker } from './ui-mounts.ts'

const IDLE_MS_MAX = 10 * 60_000

export type Attempt = {
  nonce: string
  /** Share in hex, and the request that brought it: one that is run again is still the same. */
  readonly shares: Map<string, { bytes: Buffer; requestId: string }>
  touchedAt: number
  /** The request that started it, which is still the same when it is run again. */
  readonly startedBy: string
  /** The request that had enough shares first; no other may finish. */
  finisher?: string
}

export function newAttempt(core: Core, call: Call<unknown>): Attempt {
  return {
    nonce: uuid(core.random),
    shares: new Map(),
    touchedAt: call.now,
    startedBy: call.requestId,
  }
}

export function forgetShares(attempt: Attempt): void {
  for (const { bytes } of attempt.shares.values()) bytes.fill(0)
  attempt.shares.clear()
  delete attempt.finisher
}

/** The one place an attempt can have. It is empty again when the server was sealed in between. */
export type Slot<A extends Attempt> = {
  current(): A | undefined
  put(attempt: A): void
  drop(): void
}

export function slot<A extends Attempt>(core: Core, forget: (attempt: A) => void): Slot<A> {
  let held: { attempt: A; space: object | undefined } | undefined
  const made: Slot<A> = {
    current() {
      if (!held) return undefined
      const idle = core.clock.now() - held.attempt.touchedAt > IDLE_MS_MAX
      if (idle || held.space !== core.keeper.space) made.drop()
      return held?.attempt
    },
    put: (attempt) => void (held = { attempt, space: core.keeper.space }),
    drop() {
      if (held) forget(held.attempt)
      held = undefined
    },
  }
  return made
}

export type Given = { key: string | undefined; nonce: string | undefined }
/** How the ceremony is called in what the caller is told. */
export type Words = { none: string; operation: string; duplicate: string }

/**
 * Takes a share. All of them once there are enough, and undefined before. Runs again without harm
 * when the request does.
 */
export function takeShare(
  attempt: Attempt | undefined,
  call: Call<Given>,
  { words, required }: { words: Words; required: number },
): Buffer[] | undefined {
  const { key, nonce } = call.data
  if (!key) refuse("'key' must be specified in request body as JSON")
  const bytes = parseKeyShare(key)
  if (!attempt) refuse(words.none)
  if (nonce !== attempt.nonce) {
    refuse(
      `incorrect nonce supplied; nonce for this ${words.operation} operation is "${attempt.nonce}"`,
    )
  }
  if (attempt.finisher && attempt.finisher !== call.requestId) refuse(words.none)
  const hex = bytes.toString('hex')
  const known = attempt.shares.get(hex)
  if (known && known.requestId !== call.requestId) refuse(words.duplicate)
  if (!known) attempt.shares.set(hex, { bytes, requestId: call.requestId })
  attempt.touchedAt = call.now
  if (attempt.shares.size < required) return undefined
  attempt.finisher = call.requestId
  return [...attempt.shares.values()].map((share) => share.bytes)
}

/** Refuses who may not end the attempt. */
export async function checkCancel(
  core: Core,
  call: Call<{ nonce: string | undefined }>,
  attempt: Attempt,
): Promise<void> {
  if (call.data.nonce === attempt.nonce && attempt.shares.size === 0) return
  const acl = await aclOfAsker(call as never, core)
  const { path } = turnOf(call as never)
  const verdict = acl?.check({ path, operation: 'delete', data: {} })
  if (verdict?.allowed && verdict.sudo) return
  throw new Failure(
    'permission_denied',
    'cancelling takes the nonce of the attempt while no key was given, or a token with sudo on' +
      ' this path; without either it lapses after 10 minutes',
  )
}

/** How many shares the holders have to bring. */
export async function sharesRequired(core: Core): Promise<number> {
  const config = await core.keeper.config()
  const recovery = config?.type === 'shamir' ? undefined : await core.keeper.recovery()
  return (recovery ?? config)?.threshold ?? 0
}
