/**
 * The webhooks of baits: a POST of JSON, signed, tried again for some minutes. What comes while one is
 * on its way to a hook goes along with the next.
 *
 *   x-coffer-timestamp: 1767225600
 *   x-coffer-signature: sha256=<hex of HMAC-SHA-256(key, timestamp ‖ "." ‖ body)>
 */
import { createHmac } from 'node:crypto'
import { type Outbound, OutboundError } from '../../lib/outbound.ts'
import { type Core } from '../core.ts'
import { type Bait, type BaitRef } from './baits.ts'

/** Who has touched a bait, and how: names and places, never a value. */
export type Touch = {
  readonly time: string
  readonly request_id: string
  readonly namespace: string
  readonly path: string
  readonly operation: string
  readonly status: number
  readonly remote_address: string
  readonly accessor?: string
  readonly display_name?: string
  readonly entity_id?: string
  /** Of a login that was let in. */
  readonly issued_accessor?: string
}

export type Touched = {
  readonly ref: BaitRef
  readonly touches: readonly Touch[]
  readonly more: number
}

type Hook = NonNullable<Bait['webhook']>

/** Before the second try, the third …: seven minutes in all. */
const PAUSES_MS = [250, 1_000, 5_000, 30_000, 120_000, 240_000]
const TIMEOUT_MS = 5_000
const HELD_MAX = 100

export function webhooks({ core, outbound }: { core: () => Core; outbound: Outbound }) {
  const busy = new Map<string, Touched[]>()
  const cancels = new Set<() => void>()

  const pause = (ms: number) =>
    new Promise<void>((done) => {
      const cancel = core().clock.after(ms, () => {
        cancels.delete(cancel)
        done()
      })
      cancels.add(cancel)
    })

  async function send({ url, key }: Hook, body: string): Promise<string | undefined> {
    const timestamp = String(Math.floor(core().clock.now() / 1000))
    const mac = createHmac('sha256', key).update(`${timestamp}.${body}`).digest('hex')
    const headers = {
      'content-type': 'application/json',
      'user-agent': 'coffer',
      'x-coffer-timestamp': timestamp,
      'x-coffer-signature': `sha256=${mac}`,
    }
    try {
      const { status } = await outbound({
        url,
        method: 'POST',
        headers,
        body,
        timeoutMs: TIMEOUT_MS,
      })
      return status >= 200 && status < 300 ? undefined : `answered with status ${status}`
    } catch (error) {
      return error instanceof OutboundError ? error.message : 'could not be asked'
    }
  }

  async function deliver(hook: Hook, name: string, body: string): Promise<void> {
    for (const ms of [...PAUSES_MS, undefined]) {
      const trouble = await send(hook, body)
      if (trouble === undefined) return
      const next = ms === undefined ? 'given up' : 'it is tried again'
      core().log('error', `the webhook of bait "${name}" ${trouble}: ${next}`)
      if (ms !== undefined) await pause(ms)
    }
  }

  return {
    add(hook: Hook, bait: Bait, touched: Touched): void {
      const queue = busy.get(bait.key)
      if (queue) {
        if (queue.length < HELD_MAX) queue.push(touched)
        return
      }
      const own = [touched]
      busy.set(bait.key, own)
      void (async () => {
        for (let next = own.shift(); next; next = own.shift()) {
          await deliver(hook, next.ref.name, bodyOf(bait, next))
        }
        busy.delete(bait.key)
      })()
    },
    /** What waits for its next try is not tried again. */
    close(): void {
      for (const cancel of cancels) cancel()
      cancels.clear()
    },
  }
}

function bodyOf({ of, path, note }: Bait, { ref, touches, more }: Touched): string {
  return JSON.stringify({
    event: 'honey.touched',
    bait: {
      name: ref.name,
      kind: of,
      ...(path !== undefined && { path }),
      ...(ref.namespace && { namespace_id: ref.namespace.id }),
      note,
    },
    touches,
    more,
  })
}
