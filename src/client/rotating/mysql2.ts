/**
 * A pool of `mysql2` that follows a rotated login. The driver keeps user and password in its pool's
 * config and copies them into each new connection: that config is replaced, and nothing else.
 */
import { isAuthFailure } from '../auth-failure.ts'
import { type Credential } from './credential.ts'
import { createRollover, type Rollover } from './rollover.ts'
import { rotatingCredential, type RotatingOptions } from './source.ts'

/** What is used of the module `mysql2` or `mysql2/promise`, which the app brings along. */
export type Mysql2Module = {
  createPool: (config: never) => object
  createConnection: (config: never) => unknown
}
export type RotatingMysql2Options = RotatingOptions & {
  /** As for `createPool()`, without user and password. */
  pool?: object | undefined
}

type Config = Record<string, unknown>
type Done = (error: unknown, connection?: Connection) => void
type Stream = { once(event: 'close', fn: () => void): void }
type Connection = {
  config: Config
  stream: Stream
  release(): void
  destroy(): void
}
type CorePool = {
  config: { connectionConfig: Config }
  getConnection(done: Done): void
  end(done?: (error?: unknown) => void): void
  on(event: 'connection' | 'acquire' | 'release', fn: (connection: Connection) => void): void
}
type Driver = {
  createPool(config: Config): CorePool | (Ending & { pool: CorePool })
  createConnection(config: Config): unknown
}
type Ending = { end(): Promise<void> }

/** Travels with the config into the connection that is made from it. */
const CREDENTIAL = Symbol('coffer credential')
const CONNECT_TRIES = 3

/**
 * `const pool = await rotatingMysql2(mysql, 'vault://database/static-creds/app', { pool: { host, database } })`.
 * `pool.end()` ends the following as well.
 */
export async function rotatingMysql2<M extends Mysql2Module>(
  mysql: M,
  ref: string,
  options: RotatingMysql2Options = {},
): Promise<ReturnType<M['createPool']>> {
  const { pool: given = {}, ...own } = options as RotatingOptions & { pool?: Config }
  const driver = mysql as unknown as Driver
  const source = await rotatingCredential(ref, own)
  const config: Config = {
    ...given,
    connectAttributes: {
      ...(given['connectAttributes'] as object | undefined),
      program_name: source.sessionName,
    },
  }
  const test = (credential: Credential) => logIn(driver, { ...config, ...loginOf(credential) })
  const connections = new Map<Connection, { idle: boolean }>()
  const retire = () => {
    setLogin(core, rollover.inUse)
    for (const [connection, { idle }] of connections) {
      if (idle && rollover.isOld(madeWith(connection))) connection.destroy()
    }
  }
  const pool = driver.createPool({ ...config, ...loginOf(source.current) })
  const core = 'pool' in pool ? pool.pool : pool
  const rollover = createRollover(source, { test, retire })
  setLogin(core, source.current)
  track(core, connections, rollover)
  retryRefused(core, rollover)
  endBoth(pool, rollover)
  return pool as ReturnType<M['createPool']>
}

function loginOf({ username, password }: Credential): Config {
  return { ...(username === undefined ? {} : { user: username }), password: password.reveal() }
}

/**
 * A new object, never a change of the old one: a connection that is being made may still read from
 * it, and must not take the name of one login and the password of another.
 */
function setLogin(core: CorePool, credential: Credential): void {
  const { connectionConfig } = Object(core.config) as Partial<CorePool['config']>
  if (connectionConfig === undefined || !('password' in connectionConfig)) {
    throw new TypeError('this mysql2 keeps its login elsewhere: versions 3 are known to work')
  }
  const copy = Object.create(
    Object.getPrototypeOf(connectionConfig) as object,
    Object.getOwnPropertyDescriptors(connectionConfig),
  ) as Config
  Object.assign(copy, loginOf(credential))
  Object.defineProperty(copy, CREDENTIAL, { value: credential, configurable: true })
  core.config.connectionConfig = copy
}

function madeWith(connection: Connection): Credential {
  return (connection.config as unknown as { [CREDENTIAL]: Credential })[CREDENTIAL]
}

function track(
  core: CorePool,
  connections: Map<Connection, { idle: boolean }>,
  rollover: Rollover,
): void {
  core.on('connection', (connection) => {
    const credential = madeWith(connection)
    const free = rollover.hold(credential)
    connections.set(connection, { idle: false })
    connection.stream.once('close', () => {
      connections.delete(connection)
      free()
    })
    const release = connection.release.bind(connection)
    // One that is old goes neither to the idle ones nor to the next who waits.
    connection.release = () => (rollover.isOld(credential) ? connection.destroy() : release())
    rollover.proven(credential)
  })
  core.on('acquire', (connection) => mark(connections.get(connection), false))
  core.on('release', (connection) => mark(connections.get(connection), true))
}

function mark(state: { idle: boolean } | undefined, idle: boolean): void {
  if (state) state.idle = idle
}

/** All ways to a connection of this driver lead through `getConnection`. */
function retryRefused(core: CorePool, rollover: Rollover): void {
  const getConnection = core.getConnection.bind(core)
  const get = (done: Done, tries: number): void => {
    const used = rollover.inUse
    // From here to the answer, a connection with this login may come to be.
    const free = rollover.hold(used)
    getConnection((error, connection) => {
      if (!error || tries === 1 || !isAuthFailure(error)) {
        done(error, connection)
        free()
        return
      }
      free()
      rollover.afterRefusal(used, (again) => (again ? get(done, tries - 1) : done(error)))
    })
  }
  core.getConnection = (done) => get(done, CONNECT_TRIES)
}

/**
 * `mysql2` ends with a callback, `mysql2/promise` with a promise. A connection whose login is refused
 * while the pool ends is as closed as the others: the driver would make an error of it.
 */
function endBoth(pool: CorePool | Ending, rollover: Rollover): void {
  if ('pool' in pool) {
    const end = (pool as Ending).end.bind(pool)
    pool.end = async () => {
      try {
        await end()
      } catch (error) {
        if (!isAuthFailure(error)) throw error
      } finally {
        await rollover.close()
      }
    }
    return
  }
  const core = pool as CorePool
  const end = core.end.bind(core)
  const closeThen = async (done: (error?: unknown) => void, error: unknown) => {
    await rollover.close().catch(() => {})
    process.nextTick(done, isAuthFailure(error) ? undefined : error)
  }
  core.end = (done = rethrow) => end((error) => void closeThen(done, error))
}

/** What the driver does with an error that nobody takes. */
function rethrow(error?: unknown): void {
  if (error) throw error as Error
}

type Single = {
  once(event: 'connect' | 'error', fn: (error?: unknown) => void): void
  on(event: 'error', fn: () => void): void
  end(done?: (error?: unknown) => void): unknown
}

async function logIn(driver: Driver, config: Config): Promise<void> {
  const made = driver.createConnection(config) as (Single & { then?: unknown }) | Promise<Single>
  if (typeof made.then === 'function') {
    await (await (made as Promise<Single>)).end()
    return
  }
  const connection = made as Single
  await new Promise<void>((resolve, reject) => {
    connection.once('connect', () => resolve())
    connection.once('error', reject)
  })
  connection.on('error', () => {})
  await new Promise<void>((resolve) => connection.end(() => resolve()))
}
