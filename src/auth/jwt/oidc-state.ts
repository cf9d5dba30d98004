/**
 * Logins at a provider that are under way: from the address a browser is sent to until it comes
 * back, for five minutes, and good for one login. An entry is `state/<minute>/<digest of the state>`,
 * so that what was left lying is found by its age.
 */
import { createHash, timingSafeEqual } from 'node:crypto'
import { type Call, type EntryStore } from '../../kit/kit.ts'

const LIFE_MS = 5 * 60_000
const MINUTE_MS = 60_000
const STATE = /^st_[\w-]{32}\.([0-9a-z]{1,9})$/
/** One call in so many looks for what was left lying, and removes at most so much of it. */
const SWEEP_EVERY = 16
const SWEEP_MAX = 100

/** What a provider has sent a browser back with. */
export type Arrived = { code: string; id_token: string }

export type Pending = {
  role: string
  redirect_uri: string
  nonce: string
  /** Of PKCE (RFC 7636). */
  verifier: string
  created_at: number
  /** Digest of what only the program that began knows; empty where it said nothing. */
  client_nonce: string
  arrived?: Arrived
  /** Digest of what the page that asks has to send back. */
  confirmation?: string
  /** A person has said yes. */
  approved?: boolean
}

export const digest = (text: string) => createHash('sha256').update(text).digest('base64url')

/** Whether a text is the one of a digest. */
export function isOfDigest(text: string | undefined, known: string | undefined): boolean {
  if (text === undefined || !known) return false
  const [given, wanted] = [Buffer.from(digest(text)), Buffer.from(known)]
  return given.length === wanted.length && timingSafeEqual(given, wanted)
}

export const randomText = (call: Pick<Call<unknown>, 'random'>) =>
  call.random(24).toString('base64url')

/** A new state; its entry is stored by `saveState`. */
export function newState(call: Pick<Call<unknown>, 'random' | 'now'>): string {
  return `st_${randomText(call)}.${Math.floor(call.now / MINUTE_MS).toString(36)}`
}

/** Undefined for what is no state. */
function keyOf(state: string): string | undefined {
  const minute = STATE.exec(state)?.[1]
  return minute && `state/${minute}/${digest(state)}`
}

/** Undefined where it is unknown, used, or too old. */
export async function findState(
  store: EntryStore,
  state: string,
  now: number,
): Promise<Pending | undefined> {
  const key = keyOf(state)
  const pending = key === undefined ? undefined : await store.get<Pending>(key)
  const age = pending ? now - pending.created_at : Infinity
  return age >= 0 && age < LIFE_MS ? pending : undefined
}

export function saveState(store: EntryStore, state: string, pending: Pending): void {
  const key = keyOf(state)
  if (key !== undefined) store.put(key, pending)
}

export function removeState(store: EntryStore, state: string): void {
  const key = keyOf(state)
  if (key !== undefined) store.remove(key)
}

/** Now and then, removes some of what nobody came back with. */
export async function sweepStates(call: Pick<Call<unknown>, 'random' | 'now' | 'store'>) {
  if (call.random(1)[0]! % SWEEP_EVERY !== 0) return
  const first = Math.floor((call.now - LIFE_MS) / MINUTE_MS)
  for (const minute of await call.store.list('state/')) {
    if (Number.parseInt(minute, 36) >= first) continue
    const names = await call.store.list(`state/${minute}`, { limit: SWEEP_MAX })
    for (const name of names) call.store.remove(`state/${minute}${name}`)
    return
  }
}
