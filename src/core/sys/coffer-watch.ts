/** `sys/coffer/watch`: what happens to the paths a token may read, as it happens. */
import { type Call } from '../../kit/call.ts'
import { type Endpoint, endpoint } from '../../kit/engine.ts'
import { Failure, refuse } from '../../kit/failure.ts'
import { reply } from '../../kit/reply.ts'
import { type Parsed, t } from '../../schema/field.ts'
import { canonicalInput } from '../canonical-path.ts'
import { type Core } from '../core.ts'
import { scopeOf, type Turn, turnOf } from '../turn.ts'
import { servingMount } from '../watch/standing.ts'
import { pollEvents, streamEvents, type Watch } from '../watch/watching.ts'

const WAIT_SECONDS = 30
const WAIT_SECONDS_MAX = 60
/** Longer than any id of ours: what is not one is answered with a reset, whatever it is. */
const ID_CHARS_MAX = 256

const fields = {
  prefix: t.string({
    help: 'A path, and all below it; with a "/" at its end only what is below. Empty = all.',
    default: '',
    clear: true,
  }),
  after: t.string({
    help: 'The id after which to go on. The header Last-Event-ID says the same, and comes first.',
    clear: true,
  }),
  poll: t.bool({
    help: 'One answer instead of a stream, as soon as there is something to tell.',
    default: false,
    clear: true,
  }),
  wait: t.duration({
    help: `Of a poll: how long to wait for something; at most ${WAIT_SECONDS_MAX}s.`,
    default: WAIT_SECONDS,
    clear: true,
  }),
}

export function cofferWatchEndpoints(core: Core): Endpoint[] {
  return [
    endpoint('coffer/watch', {
      help: 'Tells of changes below a prefix, as server-sent events, or one answer at a time.',
      description:
        'Only of paths that the token may read, and never a value: the type of the change, the path, ' +
        'the version. Each event has an id to go on from after a cut; none is lost and none comes ' +
        'twice. The event `reset` says that the id is not known any more: read anew.',
      fields,
      read: (call) => watch(call, core),
    }),
  ]
}

async function watch(call: Call<Parsed<typeof fields>>, core: Core) {
  const { data } = call
  const turn = turnOf(call as never)
  if (data.wait > WAIT_SECONDS_MAX) refuse(`wait must be at most ${WAIT_SECONDS_MAX} seconds`)
  if (turn.lastUse) refuse('a token on its last use ends with this request: it cannot watch')
  const prefix = canonicalInput(data.prefix.replace(/^\//, ''))
  const mount = await servingMount(core, scopeOf(call as never), prefix)
  const after = (lastEventId(turn) ?? data.after ?? '').slice(0, ID_CHARS_MAX)
  const watching: Watch = {
    core,
    turn: { ...turn, tx: undefined, scope: undefined, call: undefined, asked: undefined },
    watched: { prefix, mount: mount?.entry.uuid },
    after: after === '' ? undefined : after,
  }
  const uid = turn.token?.uid ?? ''
  refuseWhenFull(core, uid)
  const stream = data.poll ? pollEvents(watching, data.wait) : streamEvents(watching)
  return reply({
    streamType: data.poll ? 'application/json' : 'text/event-stream',
    // A proxy must hand on each event when it comes.
    headers: { 'Cache-Control': 'no-store', 'X-Accel-Buffering': 'no' },
    stream(to) {
      // Others may have come between the request and here.
      if (data.poll || core.watch.full(uid) === undefined) return stream(to)
      to.end()
      return () => {}
    },
  })
}

function refuseWhenFull(core: Core, uid: string): void {
  const full = core.watch.full(uid)
  if (full === 'server') throw new Failure('overloaded', 'too many are watching; try again')
  if (full === 'token') {
    throw new Failure('too_many_requests', 'this token has too many watches open; share one')
  }
}

function lastEventId({ request: { rawHeaders } }: Turn): string | undefined {
  for (let i = 0; i < rawHeaders.length; i += 2) {
    if (rawHeaders[i]!.toLowerCase() === 'last-event-id') return rawHeaders[i + 1]
  }
  return undefined
}
