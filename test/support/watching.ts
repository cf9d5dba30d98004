/** Watches in a test core, without sockets: a client that can stop reading, and what it was sent. */
import { sseReader } from '../../src/client/sse.ts'
import { canonicalNamespace, canonicalPath } from '../../src/core/canonical-path.ts'
import { uuid } from '../../src/lib/random.ts'
import { type Core } from '../../src/core/core.ts'
import { type Response } from '../../src/core/turn.ts'

export type Seen = {
  id: string
  type: string
  path: string
  version?: number
  generation?: number
  time: string
}

export type Watching = {
  readonly status: number
  readonly events: Seen[]
  readonly text: string
  /** The position the client is at. */
  readonly id: string
  /** The server has ended it. */
  readonly ended: boolean
  /** Stops reading, and reads again. */
  block: () => void
  drain: () => void
  /** The client goes. */
  cut: () => void
}

export type WatchAsk = {
  prefix?: unknown
  after?: string
  token?: string
  namespace?: string
  header?: string
}

/** Lets everything that is under way in this process come to rest. */
export async function settled(turns = 30): Promise<void> {
  for (let i = 0; i < turns; i++) await new Promise((done) => setImmediate(done))
}

type Server = { core: Core; root: string }

function ask(
  { core, root }: Server,
  { prefix = '', after, token = root, namespace, header }: WatchAsk,
  more: Record<string, unknown> = {},
): Promise<Response> {
  const home = canonicalNamespace(namespace)
  return core.handle({
    id: uuid(),
    verb: 'read',
    path: canonicalPath('sys/coffer/watch'),
    ...(home !== undefined && { namespace: home }),
    data: { prefix, ...(after !== undefined && { after }), ...more },
    token,
    wrapTtlSeconds: 0,
    remoteAddress: '127.0.0.1',
    remotePort: 4321,
    rawHeaders: header === undefined ? [] : ['Last-Event-ID', header],
    receivedAt: core.clock.now(),
  })
}

/** A poll; `answer` is there once it has answered. */
export async function poll(server: Server, asked: WatchAsk & { wait?: string | number }) {
  const { wait } = asked
  const made = await ask(server, asked, { poll: '1', ...(wait !== undefined && { wait }) })
  let text = ''
  let answer: { events: Seen[]; last: string } | undefined
  made.stream?.({
    write: (more) => (text += more) !== '',
    whenDrained: () => {},
    end: () => void (answer = (JSON.parse(text) as { data: typeof answer }).data),
  })
  await settled()
  return {
    status: made.status,
    get answer() {
      return answer
    },
  }
}

export async function watch(server: Server, asked: WatchAsk = {}): Promise<Watching> {
  const answer = await ask(server, asked)
  const { after } = asked
  const events: Seen[] = []
  let id = after ?? ''
  let text = ''
  let ended = false
  let blocked = false
  let drained: (() => void) | undefined
  const reader = sseReader({
    onId: (to) => void (id = to),
    onMessage: ({ data }) => void events.push(JSON.parse(data) as Seen),
  })
  const stop = answer.stream?.({
    write(more) {
      text += more
      reader.feed(Buffer.from(more))
      return !blocked
    },
    whenDrained: (run) => void (drained = run),
    end: () => void (ended = true),
  })
  await settled()
  return {
    status: answer.status,
    events,
    get text() {
      return answer.stream ? text : Buffer.from(answer.body).toString()
    },
    get id() {
      return id
    },
    get ended() {
      return ended
    },
    block: () => void (blocked = true),
    drain() {
      blocked = false
      drained?.()
    },
    cut: () => stop?.(),
  }
}
