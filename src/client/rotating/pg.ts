/**
 * A pool of `pg` that follows a rotated login. It is a real `pg.Pool`: only where a connection gets
 * its user and password from, and when it is closed, is ours. Both may change.
 */
import { isAuthFailure } from '../auth-failure.ts'
import { type Credential } from './credential.ts'
import { createRollover, type Rollover } from './rollover.ts'
import { rotatingCredential, type RotatingOptions } from './source.ts'

/** What is used of the module `pg`, which the app brings along. */
export type PgModule = {
  Pool: new (config: never) => object
  Client: new (config: never) => object
}
export type RotatingPgOptions<M extends PgModule> = RotatingOptions & {
  /** As for `new pg.Pool()`, without user and password; give `database`, or it follows the user. */
  pool?: ConstructorParameters<M['Pool']>[0] | undefined
}

type Config = Record<string, unknown>
type Done = (error?: Error, client?: PooledClient, release?: Release) => void
type Release = (destroy?: boolean | Error) => void
type PgClient = {
  connect(): Promise<void>
  connect(done: (error?: Error) => void): void
  end(done?: () => void): void
  once(event: 'end', fn: () => void): void
  on(event: 'error', fn: () => void): void
}
type PooledClient = PgClient & { release: Release; credential: Credential }
type PgPool = {
  connect(): Promise<PooledClient>
  connect(done: Done): void
  end(): Promise<void>
  end(done: (error?: unknown) => void): void
  /** Of pg-pool; where it is not, old idle connections go at their next use or idle timeout. */
  _idle?: readonly { client: PooledClient }[]
  _remove?: (client: PooledClient) => void
}
type ClientClass = new (config: Config) => PgClient
type PoolClass = new (config: Config) => PgPool

const TEST_TIMEOUT_MS = 10_000
const CONNECT_TRIES = 3

/**
 * `const pool = await rotatingPg(pg, 'vault://database/static-creds/app', { pool: { host, database } })`.
 * `pool.end()` ends the following as well.
 */
export async function rotatingPg<M extends PgModule>(
  pg: M,
  ref: string,
  options: RotatingPgOptions<M> = {},
): Promise<InstanceType<M['Pool']>> {
  const { pool: given = {}, ...own } = options as RotatingOptions & { pool?: Config }
  const { connectionString: text } = given
  // The driver knows other forms; in those a login has no place of its own.
  if (typeof text === 'string' && !URL.canParse(text)) {
    throw new TypeError('connectionString must be a URL; give host, port and database instead')
  }
  const source = await rotatingCredential(ref, own)
  const Client = clientClass(
    pg.Client as unknown as ClientClass,
    source.sessionName,
    () => rollover,
  )
  const test = (credential: Credential) => logIn(new Client(given, credential))
  const retire = () => closeIdle(pool, rollover)
  const rollover = createRollover(source, { test, retire })
  const Pool = poolClass(pg.Pool as unknown as PoolClass, rollover)
  const pool = new Pool({ ...given, Client })
  return pool as InstanceType<M['Pool']>
}

function clientClass(Parent: ClientClass, sessionName: string, rollover: () => Rollover) {
  /** Logs in with what is in use at the moment it is made. */
  return class extends Parent {
    readonly credential: Credential
    readonly #free: () => void

    constructor(config: Config, credential = rollover().inUse) {
      super(withLogin(config, credential, sessionName))
      this.credential = credential
      this.#free = rollover().hold(credential)
      this.once('end', this.#free)
    }

    override connect(): Promise<void>
    override connect(done: (error?: Error) => void): void
    override connect(done?: (error?: Error) => void): Promise<void> | void {
      const connect = (then: (error?: Error) => void) =>
        super.connect((error) => {
          if (error) {
            this.#free()
            refusals.set(error, this.credential)
          } else {
            rollover().proven(this.credential)
          }
          then(error)
        })
      if (done) return connect(done)
      return new Promise((resolve, reject) => {
        connect((error) => (error ? reject(error) : resolve()))
      })
    }
  }
}

/** Which credential a connection was refused with: the error that comes out of a pool does not say. */
const refusals = new WeakMap<Error, Credential>()

function poolClass(Parent: PoolClass, rollover: Rollover) {
  return class extends Parent {
    override connect(): Promise<PooledClient>
    override connect(done: Done): void
    override connect(done?: Done): Promise<PooledClient> | void {
      if (done) return this.#connect(done, CONNECT_TRIES)
      return new Promise((resolve, reject) => {
        const settle: Done = (error, client) => (client ? resolve(client) : reject(error!))
        this.#connect(settle, CONNECT_TRIES)
      })
    }

    #connect(done: Done, tries: number): void {
      super.connect((error, client) => {
        if (client) {
          const { release } = client
          // What is old does not go back into the pool.
          client.release = (destroy) => release(destroy || rollover.isOld(client.credential))
          return done(undefined, client, client.release)
        }
        const used = error && refusals.get(error)
        if (!used || tries === 1 || !isAuthFailure(error)) return done(error, undefined, () => {})
        rollover.afterRefusal(used, (again) =>
          again ? this.#connect(done, tries - 1) : done(error, undefined, () => {}),
        )
      })
    }

    override end(): Promise<void>
    override end(done: (error?: unknown) => void): void
    override end(done?: (error?: unknown) => void): Promise<void> | void {
      const ended = this.#end()
      if (!done) return ended
      ended.then(
        () => process.nextTick(done),
        (error: unknown) => process.nextTick(done, error),
      )
    }

    async #end(): Promise<void> {
      try {
        await super.end()
      } finally {
        await rollover.close()
      }
    }
  }
}

function closeIdle(pool: PgPool, rollover: Rollover): void {
  for (const { client } of [...(pool._idle ?? [])]) {
    if (rollover.isOld(client.credential)) pool._remove?.(client)
  }
}

/** Text form and fields form of a config; in the text, the login has its own place. */
function withLogin(config: Config, credential: Credential, sessionName: string): Config {
  const { username: user, password: secret } = credential
  const password = secret.reveal()
  const login = { ...(user === undefined ? {} : { user }), password }
  const { connectionString } = config
  if (typeof connectionString !== 'string') {
    return { ...config, ...login, application_name: sessionName }
  }
  const url = new URL(connectionString)
  if (user !== undefined) url.username = encodeURIComponent(user)
  url.password = encodeURIComponent(password)
  url.searchParams.set('application_name', sessionName)
  return { ...config, connectionString: url.href }
}

async function logIn(client: PgClient): Promise<void> {
  client.on('error', () => {})
  const timer = setTimeout(() => client.end(), TEST_TIMEOUT_MS)
  timer.unref()
  try {
    await new Promise<void>((resolve, reject) => {
      client.connect((error) => (error ? reject(error) : resolve()))
    })
  } finally {
    clearTimeout(timer)
    client.end()
  }
}
