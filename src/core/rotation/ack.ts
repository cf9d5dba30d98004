/**
 * A client's word about a generation: it has seen it, it has logged in with it, it uses no other any
 * more, it cannot use it, or it ends and uses none. The same word again is its heartbeat. A client
 * speaks for itself only: its entry belongs to the entity, or the token, that it first came with.
 */
import { type Scope } from '../../barrier/space.ts'
import { type Call } from '../../kit/call.ts'
import { Failure, refuse } from '../../kit/failure.ts'
import { type Core } from '../core.ts'
import { scopeOf, turnOf, txOf } from '../turn.ts'
import { type AckState, type HolderEntry, HOLDERS, HOLDERS_MAX } from './holders.ts'
import { digestOf } from './record.ts'
import { INSTANCE, newHolder, ownerOf, withHold } from './served.ts'
import { mayRead, subjectOf } from './subject.ts'

export type Ack = {
  path: string
  generation: number
  state: AckState | 'gone'
  instance: string
  app: string | undefined
  version: string | undefined
  reason: string | undefined
}

const PLAIN = /^[\w.:/@+ ,()'=-]*$/
const TEXT_MAX = 200
/** A heartbeat that comes sooner than this says nothing new, and need not be stored. */
const SAME_MS = 5_000

export async function acknowledge(call: Call<never>, core: Core, ack: Ack): Promise<void> {
  const turn = turnOf(call)
  const subject = await subjectOf(call, core, ack.path).catch((error: unknown) => {
    // What is rotated is told to those only who may read it.
    if (error instanceof Failure && error.code === 'not_found') throw denied()
    throw error
  })
  if (!mayRead(turn, subject)) throw denied()
  const { entry, id, scope } = subject
  if (!INSTANCE.test(ack.instance)) {
    refuse('instance must be 1 to 64 letters, digits, dots, colons or dashes; a uuid is best')
  }
  const { state } = ack
  const known = [entry.current?.number, entry.previous?.number]
  // Who ends may never have heard of what came after the one it had.
  if (state !== 'gone' && !known.includes(ack.generation)) {
    if (ack.generation > (entry.current?.number ?? 0)) refuse('no such generation is served')
    // An old one that is revoked: nothing of it is left to be held.
    if (state !== 'seen') return
  }
  const token = turn.token!
  const at = `${HOLDERS}${id}/c-${digestOf(ack.instance)}`
  const before = await scope.get<HolderEntry>(at)
  if (before && before.owner !== ownerOf(token) && (await ownerLives(call, core, before))) {
    throw new Failure('permission_denied', 'this instance belongs to another token')
  }
  if (state === 'gone') {
    if (before) forget(scope, at, { before, current: entry.current?.number })
    turn.afterCommit.push(() => core.rotation.wake(entry.namespace, id))
    return
  }
  if (!before && (await scope.list(`${HOLDERS}${id}/`)).length >= HOLDERS_MAX) {
    throw new Failure('too_many_requests', 'this rotation has too many holders')
  }
  const same =
    before?.state === state &&
    before.silent === undefined &&
    before.generation === ack.generation &&
    before.owner === ownerOf(token)
  if (same && turn.now - before.at < SAME_MS) return
  const {
    tokenEnds: _,
    reason: __,
    silent: ___,
    ...kept
  } = { ...newHolder(turn, token, ack.instance), ...before }
  const next: HolderEntry = {
    ...kept,
    owner: ownerOf(token),
    tokenUid: token.uid,
    app: plain(ack.app) || kept.app,
    version: plain(ack.version) || kept.version,
    address: turn.request.remoteAddress,
    holds: holdsAfter(before, entry.previous?.number, ack),
    state,
    generation: ack.generation,
    since: same ? before.since : turn.now,
    at: turn.now,
    ...(token.type === 'batch' && { tokenEnds: token.expiresAt }),
    ...(state === 'nack' && { reason: plain(ack.reason) || 'no reason given' }),
  }
  scopeOf(call).put(at, next)
  turn.afterCommit.push(() => core.rotation.wake(entry.namespace, id))
}

const denied = () => new Failure('permission_denied', undefined, { wrapped: true })

/** Shown to people: nothing that could draw on their terminal. */
const plain = (given: string | undefined): string =>
  given !== undefined && PLAIN.test(given) ? given.slice(0, TEXT_MAX) : ''

/** When in doubt it holds both: only `drained` says that nothing else is used. */
function holdsAfter(
  before: HolderEntry | undefined,
  previous: number | undefined,
  ack: Ack,
): number[] {
  if (ack.state === 'drained') return [ack.generation]
  const held = before?.holds ?? (previous === undefined ? [] : [previous])
  return withHold(held, ack.generation)
}

type Leaving = { before: HolderEntry; current: number | undefined }

/**
 * A client that has ended holds nothing. That it could not use what is served now stays: most likely
 * that is what it has ended of, and the next one would do no better.
 */
function forget(scope: Scope, at: string, { before, current }: Leaving): void {
  if (before.state === 'nack' && before.generation === current) {
    scope.put(at, { ...before, holds: [] })
  } else scope.remove(at)
}

async function ownerLives(call: Call<never>, core: Core, before: HolderEntry): Promise<boolean> {
  if (!before.owner.startsWith('token:')) return true
  if (before.tokenEnds !== undefined) return before.tokenEnds > call.now
  return (await core.tokens.byAccessor(txOf(call), before.tokenUid, call.now)) !== undefined
}
