/**
 * MariaDB: one user with two passwords, `IDENTIFIED VIA … OR …`. Views and procedures carry the name
 * of who made them, so a second user would not do. What was there before is kept in the chain until
 * the first generation is revoked.
 */
import { type TargetSession } from '../../../kit/rotation.ts'
import { StatementError } from '../statements.ts'
import { type Login, TargetError } from '../target.ts'
import { hostsOf, type MysqlTarget, type Query } from '../targets/mysql.ts'
import { nativeVerifier } from '../verifiers.ts'
import { type Rotor, shown } from './rotor.ts'

/** One way to log in: a plugin and what it compares with. */
type Way = { plugin: string; text: string }
const NATIVE = 'mysql_native_password'
const SHA1 = /^\*[0-9A-F]{40}$/i

const native = (password: string): Way => ({ plugin: NATIVE, text: nativeVerifier(password) })
const same = (a: Way, b: Way) =>
  a.plugin === b.plugin && a.text.toUpperCase() === b.text.toUpperCase()

/** Denied logins are only counted, so what was there when the old one was revoked is remembered. */
const denied = new Map<string, number>()

export function mariadbDual(target: MysqlTarget, username: string): Rotor {
  const { query } = target

  /** Changes the ways of every account of the user. */
  async function change(next: (ways: readonly Way[]) => readonly Way[]): Promise<void> {
    for (const host of await hostsOf(query, username)) {
      const ways = await waysOf(query, username, host)
      const wanted = next(ways)
      if (JSON.stringify(wanted) !== JSON.stringify(ways))
        await setWays(query, { username, host }, wanted)
    }
  }
  const add = (password: string) =>
    change((ways) => {
      const way = native(password)
      return ways.some((one) => same(one, way)) ? ways : [...ways, way]
    })
  const without = ({ password }: Login, current: Login | undefined) =>
    change((ways) => {
      const left = ways.filter((one) => !same(one, native(password)))
      return left.length > 0 ? left : current ? [native(current.password)] : ways
    })
  const key = `${target.label} ${username}`

  return {
    strategy: 'dual-password',
    gap: false,
    seesSessions: false,
    nextUsername: () => username,
    steps: () => [
      `on ${target.label}: give "${username}" a second password beside the one it has`,
      'log in with it',
      'serve it; when nobody holds the one before any more, take that away',
    ],
    apply: ({ password }) => add(password),
    async softRevoke(old, current) {
      denied.set(key, (await deniedOf(query, username)) ?? 0)
      await without(old, current)
    },
    undoSoftRevoke: ({ password }) => add(password),
    async refusedSince() {
      const now = await deniedOf(query, username)
      const before = denied.get(key)
      if (now === undefined) return 0
      // Of a process that has just begun nothing is known; from now on it is.
      if (before === undefined) denied.set(key, now)
      return Math.max(now - (before ?? now), 0)
    },
    revoke: (_old, current) => change(() => [native(current.password)]),
    async terminate() {
      const open = await sessionsOf(query, username)
      for (const { id } of open) await query(`KILL CONNECTION ${Number(id)}`).catch(() => {})
      return open.length
    },
    discard: (candidate, { current }) => without(candidate, current),
    reapply: ({ password }) => add(password),
  }
}

async function waysOf(query: Query, username: string, host: string): Promise<Way[]> {
  const [row] = await query('SELECT priv FROM mysql.global_priv WHERE user = ? AND host = ?', [
    username,
    host,
  ])
  if (!row) throw new TargetError('there is no such user', 'refused', '1396')
  const text = row['priv'] ?? row['Priv']
  const priv = (typeof text === 'string' ? JSON.parse(text) : text) as Record<string, unknown>
  const wayIn = (one: Record<string, unknown>): Way => ({
    plugin: one['plugin'] === undefined ? NATIVE : shown(one['plugin']),
    text: shown(one['authentication_string']),
  })
  const or = priv['auth_or']
  // In the list, {} stands for the account's own.
  if (!Array.isArray(or)) return [wayIn(priv)]
  return or.map((one: Record<string, unknown>) => wayIn('plugin' in one ? one : priv))
}

async function setWays(
  query: Query,
  { username, host }: { username: string; host: string },
  ways: readonly Way[],
): Promise<void> {
  const parts = ways.map(({ plugin, text }) => {
    if (!/^\w+$/.test(plugin)) throw new StatementError('an account has a plugin with an odd name')
    // An empty password lets everybody in; that is never carried on.
    if (plugin === NATIVE && !SHA1.test(text)) return undefined
    return { sql: text === '' ? plugin : `${plugin} USING ?`, text }
  })
  const kept = parts.filter((part) => part !== undefined)
  if (kept.length === 0) throw new StatementError('an account would have no way to log in')
  const values = kept.filter(({ text }) => text !== '').map(({ text }) => text)
  await query(`ALTER USER ?@? IDENTIFIED VIA ${kept.map(({ sql }) => sql).join(' OR ')}`, [
    username,
    host,
    ...values,
  ])
}

export async function sessionsOf(query: Query, username: string): Promise<TargetSession[]> {
  const rows = await query(
    'SELECT id, host, time_ms FROM information_schema.processlist WHERE user = ? AND id <> CONNECTION_ID()',
    [username],
  )
  return rows.map((row) => ({
    id: String(row['id'] ?? row['ID']),
    user: username,
    application: '',
    address: shown(row['host'] ?? row['HOST']),
    since: 0,
  }))
}

/** Undefined where the server does not count (`userstat=0`). */
async function deniedOf(query: Query, username: string): Promise<number | undefined> {
  const [on] = await query('SELECT @@global.userstat AS counts')
  if (Number(on?.['counts']) !== 1) return undefined
  const [row] = await query(
    `SELECT ACCESS_DENIED + DENIED_CONNECTIONS AS denied
       FROM information_schema.user_statistics WHERE user = ?`,
    [username],
  )
  return Number(row?.['denied'] ?? 0)
}
