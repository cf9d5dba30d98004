/**
 * Connections to databases, as they are stored and as they are open. What is open is shared by all
 * who use it, belongs to one state of the configuration, and is closed when it has changed, when
 * nobody has used it for a while, and when the server is sealed.
 *
 *   config/<name>    Connection
 */
import { createHash } from 'node:crypto'
import { collection, type EntryStore, Failure, type MountView } from '../../kit/kit.ts'
import { systemRandom } from '../../lib/random.ts'
import { type Opened, openTarget } from './plugins.ts'
import { type Login, textOf } from './target.ts'

export type Connection = {
  plugin_name: string
  plugin_version: string
  /** All that the plugin was told, the password included. */
  connection_details: Record<string, unknown>
  allowed_roles: string[]
  root_rotation_statements: string[]
  password_policy: string
  verify_connection: boolean
  skip_static_role_import_rotation: boolean
  /** The second login of the root user, where it has two; each is changed by the other only. */
  partner?: Login
}

export const connections = collection<Connection>('config/')

export async function connectionNamed(
  store: Pick<EntryStore, 'get'>,
  name: string,
): Promise<Connection> {
  const found = await store.get<Connection>(`config/${name}`)
  if (found) return found
  throw new Failure('internal', `failed to find entry for connection with name: "${name}"`, {
    wrapped: true,
  })
}

/** `*` allows every role; a name may have a `*` at its ends. */
export function checkAllowed({ allowed_roles: allowed }: Connection, role: string): void {
  const fits = (pattern: string) => {
    if (pattern === '*') return true
    const bare = pattern.replace(/^\*|\*$/g, '')
    if (pattern.startsWith('*') && pattern.endsWith('*')) return role.includes(bare)
    if (pattern.startsWith('*')) return role.endsWith(bare)
    return pattern.endsWith('*') ? role.startsWith(bare) : role === pattern
  }
  if (allowed.some(fits)) return
  throw new Failure('internal', `"${role}" is not an allowed role`, { wrapped: true })
}

export const rootLogin = ({ connection_details: details }: Connection): Login => ({
  username: textOf(details, 'username'),
  password: textOf(details, 'password'),
})

type Open = { fingerprint: string; opened: Promise<Opened>; users: number; stale: boolean }

const UNUSED_MS = 60_000
const open = new Map<string, Open>()
const timers = new Map<string, NodeJS.Timeout>()

type Place = { mount: Pick<MountView, 'uuid'>; name: string }

const keyOf = ({ mount, name }: Place) => `${mount.uuid}/${name}`

/** Opens it where it is not, and keeps it open for a while after. */
export async function withTarget<T>(
  place: Place,
  connection: Connection,
  work: (opened: Opened) => Promise<T>,
): Promise<T> {
  const key = keyOf(place)
  const { plugin_name: plugin, connection_details: details } = connection
  const fingerprint = createHash('sha256')
    .update(JSON.stringify([plugin, details]))
    .digest('hex')
  let entry = open.get(key)
  if (entry?.fingerprint !== fingerprint) {
    closeTarget(place)
    // The salts of verifiers need not repeat, in no simulation either.
    const opening = { plugin, details, login: rootLogin(connection), random: systemRandom }
    entry = { fingerprint, opened: openTarget(opening), users: 0, stale: false }
    open.set(key, entry)
  }
  entry.users++
  try {
    return await work(await entry.opened)
  } finally {
    entry.users--
    if (entry.stale) close(entry)
    else later(key, entry)
  }
}

/** A target of its own, closed after: for a configuration that nobody has accepted yet. */
export async function tryTarget<T>(
  connection: Connection,
  work: (opened: Opened) => Promise<T>,
): Promise<T> {
  const { plugin_name: plugin, connection_details: details } = connection
  const login = rootLogin(connection)
  const opened = await openTarget({ plugin, details, login, random: systemRandom })
  try {
    return await work(opened)
  } finally {
    await opened.target.close()
  }
}

function later(key: string, entry: Open): void {
  clearTimeout(timers.get(key))
  const timer = setTimeout(() => {
    timers.delete(key)
    if (open.get(key) !== entry || entry.users > 0) return
    open.delete(key)
    close(entry)
  }, UNUSED_MS)
  timer.unref()
  timers.set(key, timer)
}

/** Whoever is at work finishes first. */
export function closeTarget(place: Place): void {
  const key = keyOf(place)
  const entry = open.get(key)
  if (!entry) return
  open.delete(key)
  clearTimeout(timers.get(key))
  timers.delete(key)
  entry.stale = true
  close(entry)
}

export function closeAllTargets(): void {
  for (const key of [...open.keys()]) {
    const slash = key.indexOf('/')
    closeTarget({ mount: { uuid: key.slice(0, slash) }, name: key.slice(slash + 1) })
  }
}

function close(entry: Open): void {
  if (entry.users > 0) return
  void entry.opened.then(({ target }) => target.close()).catch(() => {})
}
