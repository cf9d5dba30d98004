/**
 * Remembers answers that came with a lease or a token, for as long as that lives: ten processes that
 * ask for database credentials get one account and not ten. The key holds the caller's token, so
 * nobody is given what was given to another. Everything else is asked anew each time.
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
type Entry = {
  readonly answer: Answered
  readonly leaseId: string
  readonly token: string
  readonly made: string | undefined
  readonly path: string
  readonly cancel: () => void
}

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

export function createLeaseCache(clock: Clock): LeaseCache {
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
    const cancel = clock.after(lease.seconds * KEPT_PART * 1000, () => entries.delete(key))
    const { token, target: path } = asked
    entries.set(key, { answer, token, path, cancel, leaseId: lease.id, made: lease.token })
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

type Lease = { id: string; seconds: number; token: string | undefined }

function leaseOf({ status, body, headers }: Answered): Lease | undefined {
  if (status !== 200 || !headers['content-type']?.startsWith('application/json')) return undefined
  const { lease_id: id, lease_duration: seconds, auth } = fieldsOf(body)
  if (typeof id === 'string' && id !== '' && typeof seconds === 'number' && seconds > 0) {
    return { id, seconds, token: undefined }
  }
  const made = Object(auth) as {
    client_token?: unknown
    lease_duration?: unknown
    num_uses?: unknown
  }
  const { client_token: token, lease_duration: life, num_uses: uses } = made
  // A token of a few uses would be spent by the first who gets it.
  if (typeof token !== 'string' || token === '' || typeof life !== 'number' || life <= 0)
    return undefined
  return uses === 0 || uses === undefined ? { id: '', seconds: life, token } : undefined
}

function fieldsOf(body: Buffer): Record<string, unknown> {
  try {
    return Object(JSON.parse(body.toString('utf8'))) as Record<string, unknown>
  } catch {
    return {}
  }
}
