/**
 * `scrub -from`, while the pipe is open: a new version of a secret is hidden as soon as the server tells
 * of it, and where nothing tells, when it is next looked at. What came before is hidden still.
 */
import { once } from 'node:events'
import { type Client, connect } from '../../client/connect.ts'
import { onPush } from '../../client/pushed.ts'
import { createReader } from '../../client/rotating/reading.ts'
import { type Scrubber } from '../../scrub/scrubber.ts'
import { messageOf } from '../cli-error.ts'
import { type Context } from '../command.ts'
import { clientOptions } from '../http/client-options.ts'
import { trimSlashes } from '../paths.ts'

const LOOK_MS = 5_000

type At = Pick<Context, 'io' | 'settings'>

/** Returns the end of it. Trouble is told once for each run of it, and stops nothing. */
export function followSecrets(
  at: At,
  scrubber: Scrubber,
  paths: readonly string[],
): () => Promise<void> {
  const ending = new AbortController()
  const { signal } = ending
  const done = follow(at, { scrubber, paths, signal }).catch(() => {})
  return async () => {
    ending.abort()
    await done
  }
}

type Following = { scrubber: Scrubber; paths: readonly string[]; signal: AbortSignal }

async function follow(at: At, { scrubber, paths, signal }: Following): Promise<void> {
  const warn = (about: string, error: unknown) => {
    if (signal.aborted) return
    at.io.stderr.write(`scrub: changes of ${about} are not seen: ${messageOf(error)}\n`)
  }
  const onSecret = (value: string, name: string) => void scrubber.add({ value, name })
  const onError = (error: unknown) => warn('secrets', error)
  try {
    await using client = await connect({ ...clientOptions(at), onSecret, onError, signal })
    const stops = paths.map((path) => followOne(client, trimSlashes(path), warn))
    if (!signal.aborted) await once(signal, 'abort')
    for (const stop of stops) stop()
  } catch (error) {
    onError(error)
  }
}

function followOne(
  client: Client,
  path: string,
  warn: (about: string, error: unknown) => void,
): () => void {
  const reader = createReader(client, path)
  let failing = false
  const look = latest(async () => {
    try {
      await reader.read({ background: true })
      failing = false
    } catch (error) {
      if (!failing) warn(path, error)
      failing = true
    }
  })
  const pushed = onPush(client, path, look)
  const timer = setInterval(() => pushed.isLive() || look(), LOOK_MS)
  timer.unref()
  return () => {
    clearInterval(timer)
    pushed.stop()
  }
}

/** Never twice at once; what is asked for meanwhile is done once more afterwards. */
function latest(act: () => Promise<void>): () => void {
  let state: 'idle' | 'busy' | 'again' = 'idle'
  const run = async () => {
    do {
      state = 'busy'
      await act()
    } while ((state as string) === 'again')
    state = 'idle'
  }
  return () => {
    if (state === 'idle') void run()
    else state = 'again'
  }
}
