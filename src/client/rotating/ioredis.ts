/** The client of `ioredis`: it takes its login from its options at each connect. */
import { type Credential } from './credential.ts'
import { type Sessions } from './redis.ts'
import { createLiveSession } from './session.ts'

export type Ioredis = {
  options: { username?: string | undefined; password?: string | undefined; lazyConnect?: boolean }
  readonly status: string
  readonly mode?: string
  connect(callback?: (error?: Error | null) => void): Promise<unknown>
  disconnect(reconnect?: boolean): void
  quit(): Promise<unknown>
  auth(...login: string[]): Promise<unknown>
  duplicate(options?: object): Ioredis
  on(event: 'ready' | 'close' | 'end', fn: () => void): unknown
  once(event: 'close', fn: () => void): unknown
  on(event: 'error', fn: (error: unknown) => void): unknown
}
export type IoredisClass = new (options: object) => Ioredis
type Config = Record<string, unknown>

/** Connects and closes again: whether the login works. */
export async function openIoredis(
  Redis: IoredisClass,
  config: Config,
  { credential, sessionName }: { credential: Credential; sessionName: string },
): Promise<void> {
  const once = { lazyConnect: true, retryStrategy: null, enableReadyCheck: false }
  const client = new Redis({ ...config, ...once, connectionName: sessionName })
  setLogin(client, credential)
  await connected(client)
  await client.quit()
}

/** The client's own rejection says "connection is closed"; why it was closed is in an event. */
async function connected(client: Ioredis): Promise<void> {
  let refusal: unknown
  client.on('error', (error) => (refusal ??= error))
  try {
    await client.connect()
  } catch (error) {
    client.disconnect()
    throw refusal ?? error
  }
}

export async function followIoredis(
  Redis: IoredisClass,
  config: Config,
  sessions: Sessions,
): Promise<Ioredis> {
  const own = { lazyConnect: true, connectionName: sessions.sessionName }
  const client = follow(new Redis({ ...config, ...own }), sessions)
  await connected(client)
  return client
}

function follow(client: Ioredis, sessions: Sessions): Ioredis {
  const { rollover, onError } = sessions
  const session = createLiveSession(rollover, async (credential) => {
    // Over the old protocol a subscriber takes no other command: it connects anew instead, and the
    // client subscribes again.
    if (client.mode === 'subscriber') {
      const closed = new Promise<void>((resolve) => client.once('close', resolve))
      client.disconnect(true)
      return closed
    }
    return client.auth(...loginOf(credential))
  })
  const connect = client.connect.bind(client)
  const disconnect = client.disconnect.bind(client)
  let isClosing = false
  client.disconnect = (reconnect = false) => {
    isClosing = !reconnect
    disconnect(reconnect)
  }
  client.connect = async (callback) => {
    isClosing = false
    if (client.status === 'reconnecting') await sessions.refresh()
    // Closed by the app in the meantime: it must not come back.
    if (isClosing) return disconnect()
    if (CONNECTING.has(client.status)) return connect(callback)
    setLogin(client, session.begin())
    return connect(callback)
  }
  const remove = sessions.add(() => session.renew())
  client.on('ready', () => {
    session.ready()
    // What became of a newer login while this one was on its way.
    session.renew().catch(onError)
  })
  client.on('close', () => session.lost())
  client.on('end', () => {
    session.lost()
    remove()
  })
  // The client prints what nobody listens to, and tries again by itself.
  client.on('error', () => {})
  const duplicate = client.duplicate.bind(client)
  client.duplicate = (options = {}) => {
    const { lazyConnect = false } = options as { lazyConnect?: boolean }
    const copy = follow(duplicate({ ...options, lazyConnect: true }), sessions)
    if (!lazyConnect) copy.connect().catch(() => {})
    return copy
  }
  return client
}

/** Refused by the client itself, which must not look like the beginning of a login. */
const CONNECTING = new Set(['connecting', 'connect', 'ready'])

function setLogin({ options }: Ioredis, { username, password }: Credential): void {
  if (username === undefined) delete options.username
  else options.username = username
  options.password = password.reveal()
}

function loginOf({ username, password }: Credential): string[] {
  return username === undefined ? [password.reveal()] : [username, password.reveal()]
}
