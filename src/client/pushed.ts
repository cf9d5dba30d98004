/**
 * What a client follows, told by its server: one watch for all of it, of the narrowest folder that
 * holds it all. Where there is nothing to watch (another server, a policy without it), nobody is
 * ever woken, and it is tried again now and then.
 */
import { type Client } from './connect.ts'
import { ClosedError } from './errors.ts'

export type Pushed = {
  /** Whether changes are told at this moment. */
  isLive(): boolean
  stop(): void
}

type Follower = { path: string; wake: () => void }
type Shared = {
  followers: Set<Follower>
  prefix: string
  controller: AbortController | undefined
  live: boolean
  /** There was nothing to watch; not before then again. */
  notBefore: number
}

const AGAIN_MS = 300_000
const RESTART_MS = 1_000
const shared = new WeakMap<Client, Shared>()

/** Calls `wake` when a secret (`secret/app/db`) may have another version, and when it may have had one. */
export function onPush(client: Client, path: string, wake: () => void): Pushed {
  let all = shared.get(client)
  if (!all) {
    all = { followers: new Set(), prefix: '', controller: undefined, live: false, notBefore: 0 }
    shared.set(client, all)
  }
  const own: Shared = all
  const follower = { path, wake }
  own.followers.add(follower)
  start(client, own)
  return {
    isLive() {
      start(client, own)
      return own.live
    },
    stop() {
      own.followers.delete(follower)
      if (own.followers.size === 0) end(own)
    },
  }
}

function end(own: Shared): void {
  own.controller?.abort(new DOMException('nothing is followed any more', 'AbortError'))
  own.controller = undefined
  own.live = false
}

function start(client: Client, own: Shared): void {
  if (own.followers.size === 0) return
  const wanted = commonFolder([...own.followers].map(({ path }) => path))
  // A wider one shows all that a narrower one would.
  if (own.controller && isUnder(wanted, own.prefix)) return
  if (!own.controller && Date.now() < own.notBefore) return
  end(own)
  own.prefix = wanted
  const controller = new AbortController()
  own.controller = controller
  void run(client, own, controller.signal).catch((error: unknown) => {
    if (own.controller !== controller) return
    end(own)
    own.notBefore = error instanceof ClosedError ? Infinity : Date.now() + AGAIN_MS
    // From now on they look by themselves.
    for (const { wake } of own.followers) wake()
  })
}

async function run(client: Client, own: Shared, signal: AbortSignal): Promise<void> {
  const onState = (connected: boolean) => {
    if (signal.aborted) return
    own.live = connected
    // What happened before it was connected was told to nobody.
    for (const { wake } of own.followers) wake()
  }
  for await (const { type, path } of client.watch(own.prefix, { signal, onState })) {
    for (const follower of own.followers) {
      if (type === 'reset' || follower.path === path) follower.wake()
    }
  }
  own.notBefore = Date.now() + RESTART_MS
}

/** A path for one, else whole segments with a slash at the end; '' when they have none in common. */
export function commonFolder(paths: readonly string[]): string {
  const [first = '', ...rest] = new Set(paths)
  let common = first
  for (const path of rest) {
    while (common !== '' && !isUnder(path, common)) {
      common = common.slice(0, common.lastIndexOf('/', common.length - 2) + 1)
    }
  }
  return common
}

const isUnder = (path: string, prefix: string) =>
  path === prefix || prefix === '' || path.startsWith(prefix.endsWith('/') ? prefix : `${prefix}/`)
