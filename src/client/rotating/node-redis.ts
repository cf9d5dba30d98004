/** The client of `redis`: it asks for its login at each connect, and takes AUTH where it stands. */
import { type Credential } from './credential.ts'
import { type Sessions } from './redis.ts'
import { createLiveSession } from './session.ts'

export type NodeRedis = {
  connect(): Promise<unknown>
  destroy(): void
  close(): Promise<unknown>
  auth(login: { username?: string; password: string }): Promise<unknown>
  duplicate(options?: object): NodeRedis
  createPool?: unknown
  on(event: 'ready' | 'reconnecting' | 'end', fn: () => void): unknown
  on(event: 'error', fn: (error: unknown) => void): unknown
}
type Create = (options: object) => NodeRedis
type Config = Record<string, unknown>

/** Connects and closes again: whether the login works. */
export async function openNodeRedis(
  create: Create,
  config: Config,
  { credential, sessionName }: { credential: Credential; sessionName: string },
): Promise<void> {
  const client = create({
    ...withoutLogin(config),
    name: sessionName,
    credentialsProvider: providerOf(async () => credential),
    socket: { ...(config['socket'] as object | undefined), reconnectStrategy: false },
  })
  client.on('error', () => {})
  try {
    await client.connect()
    await client.close()
  } catch (error) {
    // Closed already when it never came to be open.
    await Promise.resolve()
      .then(() => client.destroy())
      .catch(() => {})
    throw error
  }
}

export async function followNodeRedis(
  create: Create,
  config: Config,
  sessions: Sessions,
): Promise<NodeRedis> {
  const login = { ...withoutLogin(config), name: sessions.sessionName }
  const client = follow((own) => create({ ...login, ...own }), sessions)
  try {
    await client.connect()
  } catch (error) {
    await Promise.resolve()
      .then(() => client.destroy())
      .catch(() => {})
    throw error
  }
  return client
}

/** `make` takes options that stand above all others. */
function follow(make: (own: object) => NodeRedis, sessions: Sessions): NodeRedis {
  const { rollover, onError } = sessions
  let isFirst = true
  const session = createLiveSession(rollover, (credential) => client.auth(loginOf(credential)))
  const credentialsProvider = providerOf(async () => {
    session.lost()
    if (!isFirst) await sessions.refresh()
    isFirst = false
    return session.begin()
  })
  const client = make({ credentialsProvider })
  const remove = sessions.add(() => session.renew())
  client.on('ready', () => {
    session.ready()
    // What became of a newer login while this one was on its way.
    session.renew().catch(onError)
  })
  client.on('reconnecting', () => session.lost())
  client.on('end', () => {
    session.lost()
    remove()
  })
  // Without a listener an error would end the process; the client itself tries again.
  client.on('error', () => {})
  const duplicate = client.duplicate.bind(client)
  client.duplicate = (options) => follow((own) => duplicate({ ...options, ...own }), sessions)
  client.createPool = () => {
    throw new TypeError('a pool made from this client would not follow its login: use duplicate()')
  }
  return client
}

function providerOf(credential: () => Promise<Credential>) {
  return {
    type: 'async-credentials-provider',
    credentials: async () => loginOf(await credential()),
  }
}

function loginOf({ username, password }: Credential) {
  return { ...(username === undefined ? {} : { username }), password: password.reveal() }
}

/** A login in the URL would win over the provider. */
function withoutLogin({ username: _u, password: _p, url, ...config }: Config): Config {
  if (typeof url !== 'string' || !URL.canParse(url)) {
    return url === undefined ? config : { ...config, url }
  }
  const plain = new URL(url)
  plain.username = ''
  plain.password = ''
  return { ...config, url: plain.href }
}
