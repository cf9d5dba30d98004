/**
 * What happens when a bait is touched: an audit entry of its own, a line in the log, an event for who
 * watches, and a request to the bait's webhook. All of it after the answer has been decided, so that
 * whoever touched it sees nothing unusual; and none of it holds a value.
 */
import { rfc3339 } from '../../lib/clock.ts'
import { type Outbound } from '../../lib/outbound.ts'
import { StoreConflict } from '../../storage/store.ts'
import { honeyEntry } from '../audit-entry.ts'
import { type Core } from '../core.ts'
import { namespaceById, scopeIn } from '../namespaces.ts'
import { type Turn } from '../turn.ts'
import { emitEvent } from '../watch/events.ts'
import {
  type BaitIndex,
  type BaitRef,
  type Found,
  getBait,
  INDEX_PATH,
  touchedBy,
} from './baits.ts'
import { type Touch, type Touched, webhooks } from './webhook.ts'

export type Honey = {
  /** Looks whether a request that has been answered has touched a bait. Costs next to nothing. */
  look(turn: Turn, status: number): void
  close(): void
}

/** Of one bait: what has not been told yet. More than this are counted only. */
type Waiting = { readonly ref: BaitRef; touches: Touch[]; more: number; busy: boolean }
const WAITING_MAX = 100
const TRIES_MAX = 5

export function honeyAlarm(core: () => Core, outbound: Outbound): Honey {
  const waiting = new Map<string, Waiting>()
  const hooks = webhooks({ core, outbound })

  function raise({ ref, turn }: Found, status: number): void {
    const touch = touchOf(turn, status)
    const { audit } = core()
    core().log('warn', lineOf(ref, touch))
    audit
      .record((device) => honeyEntry(turn, device, { name: ref.name, kind: ref.of }))
      .catch(() => core().log('error', `the touch of bait "${ref.name}" could not be audited`))
    const id = `${ref.namespace?.uuid ?? ''}/${ref.name}`
    let own = waiting.get(id)
    if (!own) waiting.set(id, (own = { ref, touches: [], more: 0, busy: false }))
    if (own.touches.length < WAITING_MAX) own.touches.push(touch)
    else own.more++
    if (!own.busy) void tellAll(own).finally(() => waiting.delete(id))
  }

  /** One event and one request for all that came while the last ones were on their way. */
  async function tellAll(own: Waiting): Promise<void> {
    own.busy = true
    while (own.touches.length > 0) {
      const { ref, touches, more } = own
      own.touches = []
      own.more = 0
      try {
        await tell({ ref, touches, more })
      } catch {
        core().log('error', `those who watch could not be told of bait "${ref.name}"`)
      }
    }
  }

  async function tell(touched: Touched): Promise<void> {
    const { ref } = touched
    for (let tries = 1; ; tries++) {
      const tx = await core().begin(false)
      const ns = tx && (await namespaceById(tx, ref.namespace?.id))
      if (!tx || !ns) return
      const scope = scopeIn(tx, ns)
      const bait = await getBait(scope, ref.name)
      if (!bait) return
      const path = `coffer/honey/${ref.name}`
      const mount = await core().mounts.find(scope, 'sys/')
      if (mount) {
        const source = { mount: mount.entry, home: ref.namespace, now: core().clock.now() }
        emitEvent(tx, source, { type: 'honey.touched', path })
      }
      // First, and not waited for: what the store does is no reason to be late.
      if (tries === 1 && bait.webhook) hooks.add(bait.webhook, bait, touched)
      try {
        return await core().commit(tx)
      } catch (error) {
        if (!(error instanceof StoreConflict) || tries >= TRIES_MAX) throw error
      }
    }
  }

  const found = (turn: Turn, status: number, index: object | undefined): void => {
    if (index === undefined) return
    for (const each of touchedBy(turn, index as BaitIndex)) raise(each, status)
  }

  return {
    look(turn, status) {
      const { space } = core().keeper
      if (!space || !turn.tx) return
      const known = space.peek(INDEX_PATH)
      if (known) return found(turn, status, known.value)
      void space.fetch(INDEX_PATH).then(
        ({ value }) => found(turn, status, value),
        () => core().log('error', 'the baits could not be read'),
      )
    },
    close: () => hooks.close(),
  }
}

function touchOf(turn: Turn, status: number): Touch {
  const { token, request, reply } = turn
  const issued = reply?.auth?.['accessor']
  return {
    time: rfc3339(turn.now),
    request_id: request.id,
    namespace: turn.ns.path,
    path: turn.path,
    operation: turn.operation,
    status,
    remote_address: request.remoteAddress,
    ...(token?.accessor && { accessor: token.accessor }),
    ...(token && { display_name: token.displayName }),
    ...(token?.entityId && { entity_id: token.entityId }),
    ...(typeof issued === 'string' && issued !== '' && { issued_accessor: issued }),
  }
}

/** Quoted: a path is what somebody has written. */
function lineOf({ name, of }: BaitRef, touch: Touch): string {
  const { operation, namespace, path, remote_address, accessor, status, request_id } = touch
  const who = accessor === undefined ? 'no valid token' : `token accessor ${accessor}`
  return (
    `bait "${name}" (${of}) was touched: ${operation} ${JSON.stringify(namespace + path)} ` +
    `from ${remote_address} with ${who}, answered with ${status}, request ${request_id}`
  )
}
