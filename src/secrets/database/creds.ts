/**
 * `creds/:name`: a user of its own for whoever asks, for the time of a lease. What would drop it again
 * is stored before it is made, so that no user is left behind by a crash.
 */
import { type Call, endpoint, Failure, lease, t } from '../../kit/kit.ts'
import { type LeaseJob, type UndoJob } from '../../kit/call.ts'
import { checkAllowed, type Connection, connectionNamed, withTarget } from './connection.ts'
import { newCredential, secretsIn } from './credential.ts'
import { pluginNamed } from './plugins.ts'
import { type Role, roles, withoutEmpty } from './roles.ts'
import { StatementError } from './statements.ts'
import { TargetError, textOf } from './target.ts'
import { TemplateError, usernameTemplate } from './username.ts'

/** The user lives a little longer than its lease, so that it is never dead before. */
const MARGIN_MS = 5_000

type CredsCall = Call<{ name: string }>

export const credsEndpoints = [
  endpoint('creds/:name', {
    help: 'Makes a user with the rights of a role. It is dropped when the lease ends.',
    fields: { name: t.name({ help: 'Name of the role.' }) },
    async read(call) {
      const { data, store, mount } = call
      const role = await roles.get(store, data.name)
      if (!role) throw new Failure('bad_request', `unknown role: ${data.name}`)
      const connection = await connectionNamed(store, role.db_name)
      checkAllowed(connection, data.name)
      const plugin = pluginNamed(connection.plugin_name)
      if (role.creation_statements.length === 0 && !plugin.knowsRoles) {
        throw new Failure('internal', 'empty creation statements', { wrapped: true })
      }
      const maxTtl = Math.min(role.max_ttl || Infinity, mount.maxTtlSeconds)
      const ttl = Math.min(role.default_ttl || mount.defaultTtlSeconds, maxTtl)
      const made = await call.once(['creds', role, connection], () =>
        newUser(call, { role, connection, expiresAt: call.now + ttl * 1000 + MARGIN_MS }),
      )
      const { username, proof, shown, expiresAt } = made
      const undo = undoOf(role, username)
      await call.foreign('drop-user', undo, () =>
        telling('error creating user', () =>
          withTarget({ mount, name: role.db_name }, connection, ({ target }) =>
            target.create({ ...proof, username, expiresAt, statements: role.creation_statements }),
          ),
        ),
      )
      return lease(
        { username, ...shown },
        {
          kind: 'creds',
          secret: {
            username,
            role: data.name,
            db_name: role.db_name,
            revocation_statements: role.revocation_statements,
          },
          values: secretsIn(shown),
          ttlSeconds: ttl,
          ...(role.max_ttl > 0 && { maxTtlSeconds: role.max_ttl }),
        },
      )
    },
  }),
]

type Wanted = { role: Role; connection: Connection; expiresAt: number }

async function newUser(call: CredsCall, { role, connection, expiresAt }: Wanted) {
  const username = nameFor(call, connection)
  const { proof, shown } = await newCredential(call, {
    type: role.credential_type,
    config: role.credential_config,
    passwordPolicy: connection.password_policy,
    username,
    expiresAt,
  })
  return { username, proof, shown, expiresAt }
}

function nameFor({ data, caller, now, random }: CredsCall, connection: Connection): string {
  const template = textOf(connection.connection_details, 'username_template')
  const usual = pluginNamed(connection.plugin_name).usernames
  try {
    const name = usernameTemplate(template || usual)
    return name({ displayName: caller?.displayName ?? '', roleName: data.name, now, random })
  } catch (error) {
    if (!(error instanceof TemplateError)) throw error
    throw new Failure('bad_request', `failed to generate username: ${error.message}`)
  }
}

/** What is stored before a user is made. */
type Undo = { username: string; db_name: string; statements: string[] }

function undoOf(role: Role, username: string): Undo {
  const rollback = withoutEmpty(role.rollback_statements)
  const statements = rollback.length > 0 ? rollback : role.revocation_statements
  return { username, db_name: role.db_name, statements: [...statements] }
}

export async function dropMade({ record, store, mount }: UndoJob): Promise<void> {
  await dropUser({ store, mount }, record as Undo)
}

type Where = Pick<LeaseJob, 'store' | 'mount'>

async function dropUser({ store, mount }: Where, undo: Undo): Promise<void> {
  const connection = await connectionNamed(store, undo.db_name)
  const { username, statements } = undo
  await withTarget({ mount, name: undo.db_name }, connection, ({ target }) =>
    target.drop({ username, statements }),
  )
}

/** What a lease's secret holds. */
type Held = { username: string; role: string; db_name: string; revocation_statements: string[] }

export const credsLease = {
  async revoke({ secret, store, mount }: LeaseJob): Promise<void> {
    const { username, db_name, revocation_statements: statements } = secret as Held
    await dropUser({ store, mount }, { username, db_name, statements })
  },
  async renew({ secret, store, mount, now }: LeaseJob, seconds: number): Promise<void> {
    const { username, role: roleName, db_name: name } = secret as Held
    const role = await store.get<Role>(`role/${roleName}`)
    if (!role)
      throw new Failure('internal', `error during renew: could not find role "${roleName}"`)
    const connection = await connectionNamed(store, name)
    const expiresAt = now + seconds * 1000 + MARGIN_MS
    await withTarget({ mount, name }, connection, ({ target }) =>
      target.renew({ username, statements: role.renew_statements, expiresAt }),
    )
  },
}

/** The database's own words for the caller: without them nobody could put a statement right. */
export async function telling<T>(what: string, work: () => Promise<T>): Promise<T> {
  try {
    return await work()
  } catch (error) {
    const known = error instanceof TargetError || error instanceof StatementError
    if (!known) throw error
    throw new Failure('internal', `${what}: ${error.message}`, { cause: error, wrapped: true })
  }
}
