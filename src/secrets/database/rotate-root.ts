/**
 * `rotate-root/:name`: the root user gets a password that only the server knows. The new ones are
 * stored before the database hears of them, and each is proven by a login before the old one ends;
 * what a crash or a refusal leaves half done is taken back to what is stored.
 */
import { type Call, endpoint, Failure } from '../../kit/kit.ts'
import { type UndoJob } from '../../kit/call.ts'
import { connectionName } from './config.ts'
import {
  closeTarget,
  type Connection,
  connectionNamed,
  connections,
  rootLogin,
  tryTarget,
} from './connection.ts'
import { telling } from './creds.ts'
import { newCredential } from './credential.ts'
import { type Opened } from './plugins.ts'
import { mariadbDual } from './rotation/mariadb-dual.ts'
import { mysqlDual } from './rotation/mysql-dual.ts'
import { redisDual } from './rotation/redis-dual.ts'
import { checkPartner, partnerOf, restorePair, rotatePair } from './rotation/root-pair.ts'
import { type Rotor } from './rotation/rotor.ts'
import { single } from './rotation/single.ts'
import { type Login, TargetError } from './target.ts'

/** What is stored before anything is tried. */
type Record = { name: string; next: Login; partner?: Login }

export const rotateRootEndpoints = [
  endpoint('rotate-root/:name', {
    help: 'Gives the root user of a database a password that only the server knows.',
    fields: { name: connectionName },
    async write(call) {
      const { data, store, mount } = call
      const connection = await connectionNamed(store, data.name)
      const now = rootLogin(connection)
      for (const part of ['username', 'password'] as const) {
        if (now[part] !== '') continue
        throw new Failure(
          'internal',
          `unable to rotate root credentials: no ${part} in configuration`,
          { wrapped: true },
        )
      }
      const record = await call.once(['root', connection], () => planned(call, connection))
      await call.foreign('restore-root', record, () =>
        telling('unable to rotate root credentials', () =>
          tryTarget(connection, (opened) => rotate(opened, connection, record)),
        ),
      )
      connections.put(store, data.name, {
        ...withLogin(connection, record.next),
        ...(record.partner && { partner: record.partner }),
      })
      closeTarget({ mount, name: data.name })
      return undefined
    },
    example: {},
  }),
]

/** Two logins where the database can have them, and no statements of the operator's are in the way. */
const isPair = (opened: Opened, connection: Connection) =>
  opened.family === 'postgresql' && connection.root_rotation_statements.length === 0

async function planned(call: Call<{ name: string }>, connection: Connection): Promise<Record> {
  const { username } = rootLogin(connection)
  const login = async (name: string): Promise<Login> => {
    const { proof } = await newCredential(call, {
      type: 'password',
      config: {},
      passwordPolicy: connection.password_policy,
      username: name,
      expiresAt: 0,
    })
    return { username: name, password: proof.password! }
  }
  const pair = await telling('unable to rotate root credentials', () =>
    tryTarget(connection, async (opened) => {
      if (!isPair(opened, connection) || opened.family !== 'postgresql') return false
      await checkPartner(opened.target, username)
      return true
    }),
  )
  return {
    name: call.data.name,
    next: await login(username),
    ...(pair && { partner: await login(partnerOf(username)) }),
  }
}

const withLogin = (connection: Connection, { username, password }: Login): Connection => ({
  ...connection,
  connection_details: { ...connection.connection_details, username, password },
})

async function rotate(opened: Opened, connection: Connection, record: Record): Promise<void> {
  const now = rootLogin(connection)
  const { next, partner } = record
  if (opened.family === 'postgresql' && partner) {
    const standing = { root: now, partner: connection.partner }
    return rotatePair(opened.target, standing, { root: next, partner })
  }
  const rotor = await rotorOf(opened, connection)
  await rotor.apply(next, { current: now, previous: undefined })
  const probe = await opened.target.probe(next)
  if (probe.outcome !== 'works') {
    throw new TargetError(`a login with the new password was tried: ${probe.why}`, probe.outcome)
  }
  await tryTarget(withLogin(connection, next), async (again) =>
    (await rotorOf(again, connection)).revoke(now, next),
  )
}

/** With two passwords at a time where there can be two. */
async function rotorOf(opened: Opened, connection: Connection): Promise<Rotor> {
  const { username } = rootLogin(connection)
  const statements = connection.root_rotation_statements
  const { family, target } = opened
  if (statements.length > 0 || family === 'postgresql' || family === 'mongodb') {
    return single(target, username, statements)
  }
  if (family === 'redis') return redisDual(target, username, 0)
  return (await target.isMariadb()) ? mariadbDual(target, username) : mysqlDual(target, username)
}

/** The stored login works again. A login tells how far it had come; nothing else is believed. */
export async function restoreRoot({ record, store, mount }: UndoJob): Promise<void> {
  const { name, next, partner } = record as Record
  const connection = await store.get<Connection>(`config/${name}`)
  const stored = connection && rootLogin(connection)
  // The configuration is gone or says another user: then there is nothing that could be put back.
  if (!connection || !stored || stored.username !== next.username) return
  if (stored.password === next.password) return
  await tryTarget(connection, async (opened) => {
    if (opened.family === 'postgresql' && partner) {
      const pair = { root: stored, partner: connection.partner }
      return restorePair(opened.target, pair, { root: next, partner })
    }
    const probe = await opened.target.probe(stored)
    if (probe.outcome === 'unreachable') throw new TargetError(probe.why, 'unreachable')
    if (probe.outcome === 'refused') {
      await tryTarget(withLogin(connection, next), async (again) =>
        (await rotorOf(again, connection)).reapply(stored),
      )
    }
    const rotor = await rotorOf(opened, connection)
    // Where there is one password only, setting it has ended the other.
    if (!rotor.gap) await rotor.discard(next, { current: stored, previous: undefined })
  })
  closeTarget({ mount, name })
}
