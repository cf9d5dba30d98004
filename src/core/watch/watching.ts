/**
 * A watch while it goes on: the answer of one request that is written bit by bit, or waits. It reads
 * on when the hub says that there may be something, one step at a time, and only as fast as the
 * client reads: what it has not read stays in the log, so a slow one costs no memory.
 */
import { type Stream } from '../../kit/reply.ts'
import { endEntry } from '../audit-entry.ts'
import { type Core } from '../core.ts'
import { reply } from '../../kit/reply.ts'
import { envelopeText } from '../envelope.ts'
import { type Turn } from '../turn.ts'
import { type Cursor, cursor } from './cursor.ts'
import { rfc3339 } from '../../lib/clock.ts'
import { sseEvent, sseHeartbeat, ssePosition, type ToldEvent } from './sse.ts'
import { type Ending, type Watched } from './standing.ts'

export type Watch = {
  core: Core
  turn: Turn
  watched: Watched
  after: string | undefined
}

const HEARTBEAT_MS = 15_000
/** A client that has not read anything for so long is let go. */
const STUCK_MS = 60_000

/** What the answer is made of. */
type Shape = {
  /** After a step without an ending. True = that was all, and the answer is complete. */
  take(events: readonly ToldEvent[], at: Cursor, more: boolean): boolean
  /** What is still to be said. */
  last(ending: Ending, at: Cursor): string
}
type To = Parameters<Stream>[0]

/** Server-sent events, for as long as the client reads. */
export function streamEvents(watch: Watch): Stream {
  return (to) => {
    const { clock } = watch.core
    let wroteAt: number | undefined
    return run(watch, to, (write) => ({
      take(events, { id }) {
        const now = clock.now()
        let text = events.map(sseEvent).join('')
        // The first thing a client gets is where it stands: cut after that, it loses nothing.
        if (wroteAt === undefined) text += ssePosition(id)
        else if (text === '' && now - wroteAt >= HEARTBEAT_MS) text = sseHeartbeat(id)
        if (text !== '') {
          wroteAt = now
          write(text, events.length)
        }
        return false
      },
      last(ending, { id }) {
        const said = `: ended: ${ending}\n\n`
        if (ending !== 'the mount has moved or gone') return said
        // What was read below the prefix is not there any more.
        const { prefix: path } = watch.watched
        return sseEvent({ id, type: 'reset', path, time: rfc3339(clock.now()) }) + said
      },
    }))
  }
}

/** One answer: as soon as there is something to tell, or when the time is over. */
export function pollEvents(watch: Watch, waitSeconds: number): Stream {
  return (to) => {
    const { clock } = watch.core
    const until = clock.now() + waitSeconds * 1000
    let found: readonly ToldEvent[] = []
    return run(watch, to, () => ({
      take(events, _at, more) {
        found = events
        // Who has no place yet is told one, and comes again with it.
        const placed = watch.after !== undefined
        return events.length > 0 || (!more && (!placed || clock.now() >= until))
      },
      last(_ending, { id: last }) {
        const answer = reply({ data: { events: found, last } })
        return `${envelopeText(watch.turn, answer)}\n`
      },
    }))
  }
}

function run(
  watch: Watch,
  to: To,
  shapeOf: (write: (text: string, events: number) => void) => Shape,
): () => void {
  const { core, turn, watched, after } = watch
  const { clock, watch: hub } = core
  const at = cursor({ core, turn, watched, records: hub.records, after })
  const startedAt = clock.now()
  let counted = 0
  let state: 'idle' | 'busy' | 'again' | 'blocked' | 'ended' = 'idle'
  let cancelStuck = () => {}

  const shape = shapeOf((text, events) => {
    counted += events
    if (to.write(text) || state === 'ended') return
    state = 'blocked'
    cancelStuck = clock.after(STUCK_MS, () => void finish('read too slowly'))
    to.whenDrained(() => {
      if (state !== 'blocked') return
      cancelStuck()
      state = 'idle'
      look()
    })
  })

  function look(): void {
    if (state === 'busy') state = 'again'
    if (state !== 'idle') return
    state = 'busy'
    steps().catch((error: unknown) => {
      core.log('error', `watch: ${error instanceof Error ? error.name : 'unknown trouble'}`)
      void finish('trouble')
    })
  }

  async function steps(): Promise<void> {
    while (state === 'busy' || state === 'again') {
      state = 'busy'
      const step = await at.next()
      // Ended by somebody else while it was looking.
      if ((state as string) === 'ended') return
      if ('ending' in step) return void finish(step.ending)
      if (shape.take(step.events, at, step.more)) {
        counted = step.events.length
        return void finish('answered')
      }
      if (step.more && state === 'busy') state = 'again'
      if (state === 'busy') state = 'idle'
    }
  }

  async function finish(ending: Ending): Promise<void> {
    if (state === 'ended') return
    state = 'ended'
    leave()
    cancelStuck()
    if (ending !== 'by the client') {
      if (ending !== 'read too slowly') to.write(shape.last(ending, at))
      to.end()
    }
    const seconds = Math.round((clock.now() - startedAt) / 1000)
    const facts = { ended: ending, events: counted, seconds }
    const now = clock.now()
    await core.audit
      .record((device) => endEntry({ ...turn, now }, device, facts))
      // Sealing closes the devices behind it, which have taken the line before.
      .catch(() => ending === 'sealed' || core.log('error', 'watch: its end was not audited'))
  }

  const leave = hub.add({ tokenUid: turn.token?.uid ?? '', look, end: finish })
  look()
  return () => void finish('by the client')
}
