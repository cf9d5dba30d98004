/** What the ceremonies of key holders have in common: taking shares, and who may cancel. */
import { type Call } from '../../kit/call.ts'
import { Failure, refuse } from '../../kit/failure.ts'
import { uuid } from '../../lib/random.ts'
import { StoreConflict } from '../../storage/store.ts'
import { type Core } from '../core.ts'
import { turnOf, txOf } from '../turn.ts'
import { type Attempt } from './ceremonies.ts'
import { parseKeyShare } from './seal.ts'
import { aclOfAsker } from './ui-mounts.ts'

export const newAttempt = (core: Core): Attempt => ({ nonce: uuid(core.random), shares: [] })

export type Given = { key: string | undefined; nonce: string | undefined }
/** How the ceremony is called in what the caller is told. */
export type Words = { none: string; operation: string; duplicate: string }

/** The attempt with the share that was given, and all of them once there are enough. */
export function takeShare<A extends Attempt>(
  attempt: A | undefined,
  call: Call<Given>,
  { words, required }: { words: Words; required: number },
): { attempt: A; enough?: Buffer[] } {
  const { key, nonce } = call.data
  if (!key) refuse("'key' must be specified in request body as JSON")
  const bytes = parseKeyShare(key)
  if (!attempt) return refuse(words.none)
  if (nonce !== attempt.nonce) {
    refuse(
      `incorrect nonce supplied; nonce for this ${words.operation} operation is "${attempt.nonce}"`,
    )
  }
  const hex = bytes.toString('hex')
  if (attempt.shares.includes(hex)) refuse(words.duplicate)
  const next: A = { ...attempt, shares: [...attempt.shares, hex] }
  if (next.shares.length < required) return { attempt: next }
  return { attempt: next, enough: next.shares.map((share) => Buffer.from(share, 'hex')) }
}

/** Refuses, and keeps what has been put so far all the same: that the shares have been forgotten. */
export function refuseAndKeep(call: Call<never>, text: string): never {
  turnOf(call).kept = txOf(call).mark()
  return refuse(text)
}

/** Refuses who may not end the attempt. */
export async function checkCancel(
  core: Core,
  call: Call<{ nonce: string | undefined }>,
  attempt: Attempt,
): Promise<void> {
  if (call.data.nonce === attempt.nonce && attempt.shares.length === 0) return
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

/** Acts on the seal after the commit. It is changed once, so a conflict there is not tried again. */
export function afterCommit(call: Call<never>, act: () => Promise<void>): void {
  turnOf(call).afterCommit.push(async () => {
    try {
      await act()
    } catch (error) {
      throw error instanceof StoreConflict ? new Failure('conflict') : error
    }
  })
}
