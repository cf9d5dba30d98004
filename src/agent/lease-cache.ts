/**
 * Remembers answers that came with a lease or a token, for as long as that lives, and keeps it alive
 * for as long as it may be: ten processes that ask for database credentials get one account and not
 * ten. The key holds the caller's token, so nobody is given what was given to another. Everything
 * else is asked anew each time.
 */
import { createHmac, randomBytes } from 'node:crypto'
import { type Clock } from '../lib/clock.ts'

export type Asked = {
  readonly method: string
  readonly target: string
  readonly token: string
  readonly namespace: string
  readonly body: Buffer
}
export type Answered = {
  readonly status: number
  readonly headers: Readonly<Record<string, string>>
  readonly body: Buffer
}
/** What is renewed: the token that was made, or else the lease, by whom it was given to. */
export type Renewable = Pick<Asked, 'token' | 'namespace'> & {
  readonly leaseId: string
  readonly made: string | undefined
}
type Entry = Renewable & {
  readonly answer: Answered
  readonly path: string
  cancel: () => void
}
/** Gives what the server answered, and rejects when it did not. */
export type Renew = (what: Renewable) => Promise<Answered>

export type LeaseCache = {
  /** An answer that is kept, or the one that is under way for the same question. */
  ask(asked: Asked, send: () => Promise<Answered>): Promise<{ answer: Answered; hit: boolean }>
  /** Drops what a request that went through has ended. */
  heard(asked: Asked, answer: Answered): void
  clear(which?: { path?: string; lease?: string }): void
}

const ENTRIES_MAX = 10_000
/** An answer is given again until a tenth of its life is left. */
const KEPT_PART = 0.9
/** It is renewed at this part of its life, less up to a tenth, and once more when nobody answers. */
const RENEW_AT = 2 / 3
const RETRY_AFTER = 0.1
/** One that comes back shorter than this part of what it was has met its maximum. */
const SHORTENED = 0.9

type Options = { clock: Clock; renew: Renew; random?: () => number }

export function createLeaseCache({ clock, renew, random = Math.random }: Options): LeaseCache {
  const entries = new Map<string, Entry>()
  const underWay = new Map<string, Promise<Answered>>()
  // A key of this process: the map holds no token and no body that a dump could be searched for.
  const secret = randomBytes(32)
  const keyOf = ({ method, target, token, namespace, body }: Asked) =>
    createHmac('sha256', secret)
      .update(JSON.stringify([method, target, token, namespace]))
      .update(body)
      .digest('base64')

  const drop = (goes: (entry: Entry) => boolean) => {
    for (const [key, entry] of entries) {
      if (!goes(entry)) continue
      entry.cancel()
      entries.delete(key)
    }
  }
  const keep = (key: string, asked: Asked, answer: Answered) => {
    const lease = leaseOf(answer)
    if (!lease || entries.size >= ENTRIES_MAX) return
    const { token, namespace, target: path } = asked
    const what = { token, namespace, leaseId: lease.id, made: lease.token }
    const entry: Entry = { answer, path, ...what, cancel: () => {} }
    entries.set(key, entry)
    tend(entry, lease)
  }
  /** From now on, when its life has begun anew. */
  const tend = (entry: Entry, { seconds, renewable }: Lease) => {
    const end = () => drop((each) => each === entry)
    const stopEnd = clock.after(seconds * KEPT_PART * 1000, end)
    entry.cancel = stopEnd
    if (!renewable) return
    const tryAfter = (part: number) => {
      const stopTry = clock.after(seconds * part * 1000, () => void again())
      entry.cancel = () => {
        stopTry()
        stopEnd()
      }
    }
    let isCancelled = false
    const again = async () => {
      entry.cancel = () => {
        isCancelled = true
        stopEnd()
      }
      const answer = await renew(entry).catch(() => undefined)
      if (isCancelled) return
      if (answer === undefined || answer.status === 429 || answer.status >= 500) {
        return tryAfter(RETRY_AFTER)
      }
      const renewed = leaseOf(answer)
      // Refused: it has been revoked, or is not theirs to renew any more.
      if (!renewed) return end()
      stopEnd()
      const isShorter = renewed.seconds < seconds * SHORTENED
      tend(entry, { ...renewed, renewable: renewed.renewable && !isShorter })
    }
    tryAfter(RENEW_AT * (1 - 0.1 * random()))
  }
  return {
    async ask(asked, send) {
      const key = keyOf(asked)
      const found = entries.get(key)
      if (found) return { answer: found.answer, hit: true }
      const waiting = underWay.get(key)
      if (waiting) {
        const answer = await waiting
        // What was no lease may be meant once for each who asked.
        if (leaseOf(answer)) return { answer, hit: true }
        return { answer: await send(), hit: false }
      }
      const sent = send()
      underWay.set(key, sent)
      try {
        const answer = await sent
        keep(key, asked, answer)
        return { answer, hit: false }
      } finally {
        underWay.delete(key)
      }
    },
    heard({ target, token, body }, { status }) {
      if (status >= 300) return
      const path = target.replace(/^\/v1\//, '').replace(/\?.*/, '')
      const named = fieldsOf(body)
      if (path === 'sys/leases/revoke' || path === 'sys/revoke') {
        drop(({ leaseId }) => leaseId !== '' && leaseId === named['lease_id'])
      } else if (/^sys\/(leases\/)?revoke-(prefix|force)\//.test(path)) {
        const prefix = path.replace(/^sys\/(leases\/)?revoke-(prefix|force)\//, '')
        drop(({ leaseId }) => leaseId.startsWith(prefix))
      } else if (path === 'auth/token/revoke-self') {
        drop((entry) => entry.token === token || entry.made === token)
      } else if (path.startsWith('auth/token/revoke')) {
        // By accessor or as a tree: which of ours were meant is not known here.
        drop(() => true)
      }
    },
    clear({ path, lease } = {}) {
      drop(
        (entry) =>
          (path === undefined || entry.path.replace(/^\/v1\//, '').startsWith(path)) &&
          (lease === undefined || entry.leaseId === lease),
      )
    },
  }
}

type Lease = { id: string; seconds: number; token: string | undefined; renewable: boolean }

function leaseOf({ status, body, headers }: Answered): Lease | undefined {
  if (status !== 200 || !headers['content-type']?.startsWith('application/json')) return undefined
  const { lease_id: id, lease_duration: seconds, renewable, auth } = fieldsOf(body)
  if (typeof id === 'string' && id !== '' && typeof seconds === 'number' && seconds > 0) {
    return { id, seconds, token: undefined, renewable: renewable === true }
  }
  const made = Object(auth) as {
    client_token?: unknown
    lease_duration?: unknown
    num_uses?: unknown
    renewable?: unknown
  }
  const { client_token: token, lease_duration: life, num_uses: uses } = made
  // A token of a few uses would be spent by the first who gets it.
  if (typeof token !== 'string' || token === '' || typeof life !== 'number' || life <= 0)
    return undefined
  if (uses !== 0 && uses !== undefined) return undefined
  return { id: '', seconds: life, token, renewable: made.renewable === true }
}

function fieldsOf(body: Buffer): Record<string, unknown> {
  try {
    return Object(JSON.parse(body.toString('utf8'))) as Record<string, unknown>
  } catch {
    return {}
  }
}
