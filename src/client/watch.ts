/**
 * Events of a server that tells them: `for await (const event of client.watch('secret/app/'))`. Cut
 * at any byte it goes on behind the last whole event, so none is lost and none comes twice. Where a
 * stream does not get through (some proxies hold it back or cut it at once), it asks again and again
 * instead, with the same places.
 */
import { InvalidRequestError, isPassing } from './errors.ts'
import { sleep } from './http.ts'
import { sseReader } from './sse.ts'

export type WatchEvent = {
  /** Where to go on after it: `after` of another watch. */
  id: string
  /** `kv.write`, `rotation.published` … `reset`: some were not kept; read again what you need. */
  type: string
  /** Without `data/`: `secret/app/db`. Of a reset, the prefix. */
  path: string
  version?: number
  generation?: number
  time: string
}

export type WatchOptions = {
  /** Ends the watch: the iterator throws the signal's reason. */
  signal?: AbortSignal | undefined
  /** Events after this one; without it, those from now on. */
  after?: string | undefined
  /** Told when it is connected, and when it is not any more and tries again. */
  onState?: ((connected: boolean) => void) | undefined
}

export type WatchQuery = { prefix: string; after?: string | undefined; poll?: 1; wait?: string }

/** How the server is asked; each rejects as any call does. */
export type WatchLine = {
  /** Fulfilled at the end of the stream. */
  stream(
    query: WatchQuery,
    chunk: (bytes: Uint8Array) => void,
    signal: AbortSignal,
  ): Promise<unknown>
  /** The body's `data`. */
  poll(query: WatchQuery, signal: AbortSignal): Promise<unknown>
}

export type WatchSettings = WatchOptions & {
  random: () => number
  /** How long to poll before a stream is tried again. */
  pollForMs?: number
}

const BACKOFF_MS = 50
const BACKOFF_MS_MAX = 5_000
/** A stream that says nothing for so long is dead, or held back: the server's heart beats every 15 s. */
const SILENT_MS = 45_000
/** The first thing comes at once. */
const FIRST_MS = 10_000
/** A stream that lived for less and told nothing came to nothing. */
const SHORT_MS = 5_000
const SHORT_MAX = 3
const POLL_FOR_MS = 300_000
const POLL_WAIT = '20s'
/** What waits for a slow reader; then the stream is let go, and taken up again when it has caught up. */
const QUEUE_MAX = 1_000

/** No timer and no socket of it keeps the process alive. */
export async function* watchEvents(
  line: WatchLine,
  prefix: string,
  { signal = new AbortController().signal, after, onState, ...settings }: WatchSettings,
): AsyncGenerator<WatchEvent, void, undefined> {
  const place: Place = { prefix, after, connected: false, onState }
  let failures = 0
  let short = 0
  let pollUntil = 0
  while (true) {
    signal.throwIfAborted()
    const polling = Date.now() < pollUntil
    const startedAt = Date.now()
    let told = 0
    let failed = false
    try {
      for await (const event of polling ? once(line, place, signal) : stream(line, place, signal)) {
        told++
        yield event
      }
    } catch (error) {
      signal.throwIfAborted()
      if (!isPassing(error)) throw error
      failed = true
      // An answer that does not get through whole may do so in pieces.
      pollUntil = 0
    }
    const lived = told > 0 || Date.now() - startedAt >= SHORT_MS
    failures = lived ? 0 : failures + 1
    if (polling && lived && !failed) continue
    if (failed || !polling) state(place, false)
    if (!polling && !lived && ++short >= SHORT_MAX) {
      pollUntil = Date.now() + (settings.pollForMs ?? POLL_FOR_MS)
    }
    if (lived || short >= SHORT_MAX) short = 0
    const wait = Math.min(BACKOFF_MS_MAX, BACKOFF_MS * 2 ** failures)
    await sleep(wait * (0.5 + settings.random() / 2), signal)
  }
}

type Place = {
  readonly prefix: string
  after: string | undefined
  connected: boolean
  readonly onState: WatchOptions['onState']
}

function state(place: Place, connected: boolean): void {
  if (place.connected === connected) return
  place.connected = connected
  place.onState?.(connected)
}

async function* once(line: WatchLine, place: Place, signal: AbortSignal) {
  const { prefix, after } = place
  const { events, last } = Object(
    await line.poll({ prefix, after, poll: 1, wait: POLL_WAIT }, signal),
  ) as { events?: unknown; last?: unknown }
  if (!Array.isArray(events) || typeof last !== 'string') throw notEvents()
  state(place, true)
  for (const event of events) yield eventOf(event)
  // Empty when the server ended before it had looked.
  if (last !== '') place.after = last
}

async function* stream(line: WatchLine, place: Place, outer: AbortSignal) {
  const controller = new AbortController()
  const stop = () => controller.abort(outer.reason)
  outer.addEventListener('abort', stop, { once: true })
  const queue: WatchEvent[] = []
  let wake = () => {}
  let over: { error?: unknown } | undefined
  let watchdog: ReturnType<typeof setTimeout> | undefined
  const silentFor = (ms: number) => {
    clearTimeout(watchdog)
    watchdog = setTimeout(() => controller.abort(SILENT), ms)
    watchdog.unref()
  }
  // Of the last whole block: what was cut comes again behind it.
  let id = place.after
  const reader = sseReader({
    onId(at) {
      id = at
      state(place, true)
    },
    onMessage({ data }) {
      queue.push(eventOf(parsed(data)))
      if (queue.length >= QUEUE_MAX) controller.abort(FULL)
      wake()
    },
  })
  const chunk = (bytes: Uint8Array) => {
    // What comes after it was let go would be told twice.
    if (controller.signal.aborted) return
    silentFor(SILENT_MS)
    try {
      reader.feed(bytes)
    } catch (error) {
      over = { error }
      controller.abort(FULL)
      wake()
    }
  }
  silentFor(FIRST_MS)
  const letGo = () => controller.signal.aborted && !outer.aborted
  const { prefix, after } = place
  line.stream({ prefix, after }, chunk, controller.signal).then(
    () => ((over ??= {}), wake()),
    (error: unknown) => ((over ??= letGo() ? {} : { error }), wake()),
  )
  try {
    while (true) {
      for (let event = queue.shift(); event; event = queue.shift()) yield event
      if (over) break
      await new Promise<void>((done) => (wake = done))
    }
    if (over.error !== undefined) throw over.error
  } finally {
    place.after = id
    clearTimeout(watchdog)
    outer.removeEventListener('abort', stop)
    controller.abort(FULL)
  }
}

const SILENT = new Error('the stream said nothing for too long')
const FULL = new Error('the stream was let go')

function parsed(data: string): unknown {
  try {
    return JSON.parse(data)
  } catch {
    throw notEvents()
  }
}

function eventOf(value: unknown): WatchEvent {
  const { id, type, path, version, generation, time } = Object(value) as Record<string, unknown>
  if (typeof id !== 'string' || typeof type !== 'string' || typeof path !== 'string') {
    throw notEvents()
  }
  return {
    id,
    type,
    path,
    ...(typeof version === 'number' && { version }),
    ...(typeof generation === 'number' && { generation }),
    time: String(time),
  }
}

const notEvents = () =>
  new InvalidRequestError({ path: 'sys/coffer/watch', hint: 'the server answered with no events' })
