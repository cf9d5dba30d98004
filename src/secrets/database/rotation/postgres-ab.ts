/**
 * PostgreSQL: two logins take turns, both members of the role that was given, which they become when
 * they log in (`ALTER ROLE app_a SET role = 'app'`). So all that they make belongs to that role, and
 * each may change what the other has made. The role's own login, with which it began, is taken away
 * with the first generation that is revoked, and not while sessions have it.
 */
import { type TargetSession } from '../../../kit/rotation.ts'
import { literal, type PostgresTarget, type Sql, checkedName } from '../targets/postgres.ts'
import { quotedName, StatementError } from '../statements.ts'
import { type Login, TargetError } from '../target.ts'
import { freeSlot, type Rotor, shown, slotsOf } from './rotor.ts'

/** Says of a role that it is ours: nobody else's is ever touched. */
const mark = (owner: string) => `a login of ${owner}, kept by coffer`

export function postgresAb(target: PostgresTarget, owner: string): Rotor {
  const slots = slotsOf(checkedName(owner))
  for (const slot of slots) checkedName(slot)

  /** Whatever is done with the roles of an owner is done one after the other. */
  const alone = (work: (sql: Sql) => Promise<void>) =>
    target.inTransaction(async (sql) => {
      await sql(`SELECT pg_advisory_xact_lock(hashtext('coffer'), hashtext($1))`, [owner])
      await work(sql)
    })

  async function apply(candidate: Login): Promise<void> {
    await alone(async (sql) => {
      if (candidate.username === owner) {
        await setPassword(sql, candidate)
        return
      }
      const limit = await ownerLimit(sql, owner)
      await ownSlot(sql, candidate.username, owner)
      await setPassword(sql, candidate)
      const name = quotedName(candidate.username)
      await sql(`ALTER ROLE ${name} CONNECTION LIMIT ${limit} VALID UNTIL 'infinity'`)
      await copySettings(sql, owner, candidate.username)
      await sql(`ALTER ROLE ${name} SET role = ${literal(owner)}`)
    })
  }

  const setPassword = (sql: Sql, { username, password }: Login) =>
    sql(
      `ALTER ROLE ${quotedName(username)} WITH LOGIN PASSWORD ${literal(target.verifier(password))}`,
    ).then(() => undefined)

  /** The owner's own login, which nobody of ours uses: gone as soon as no session has it. */
  async function endOwnLogin(sql: Sql, standing: readonly Login[]): Promise<void> {
    if (standing.some(({ username }) => username === owner)) return
    const [open] = await sql(
      `SELECT 1 FROM pg_roles r WHERE rolname = $1 AND rolcanlogin
         AND NOT EXISTS (SELECT 1 FROM pg_stat_activity WHERE usename = $1)`,
      [owner],
    )
    if (open) await sql(`ALTER ROLE ${quotedName(owner)} NOLOGIN`)
  }

  return {
    strategy: 'ab',
    gap: false,
    seesSessions: true,
    nextUsername: (held) => freeSlot(slots, held),
    steps: (username) => [
      `on ${target.label}: make "${username}" a login, member of "${owner}", and set its password`,
      `log in as "${username}", and see that it acts as "${owner}"`,
      'serve it; when nobody holds the login before any more, end that (NOLOGIN)',
    ],
    apply,
    async differs(candidate) {
      const { username } = candidate
      if (username === owner) return undefined
      const [who] = await target.asUser(candidate, (sql) =>
        sql('SELECT current_user AS acts, session_user AS login'),
      )
      if (who?.['acts'] !== owner) return `"${username}" does not act as "${owner}"`
      return differenceOf(target.sql, slots)
    },
    sessions: ({ username }) => sessionsOf(target.sql, username),
    softRevoke: (old, current) =>
      alone(async (sql) => {
        await sql(`ALTER ROLE ${quotedName(old.username)} NOLOGIN`)
        await endOwnLogin(sql, [old, current])
      }),
    undoSoftRevoke: (old) =>
      alone(async (sql) => {
        await sql(`ALTER ROLE ${quotedName(old.username)} LOGIN`)
      }),
    refusedSince: ({ username }, since) => refusedSince(target, username, since),
    revoke: (old, current) =>
      alone(async (sql) => {
        await sql(`ALTER ROLE ${quotedName(old.username)} NOLOGIN PASSWORD NULL`)
        await endOwnLogin(sql, [current])
      }),
    async terminate({ username }) {
      const ended = await target.sql(
        'SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE usename = $1',
        [username],
      )
      return ended.length
    },
    discard: ({ username }) =>
      alone(async (sql) => {
        const [there] = await sql('SELECT 1 FROM pg_roles WHERE rolname = $1', [username])
        if (there) await sql(`ALTER ROLE ${quotedName(username)} NOLOGIN PASSWORD NULL`)
      }),
    reapply: apply,
  }
}

async function ownerLimit(sql: Sql, owner: string): Promise<number> {
  const [role] = await sql('SELECT rolconnlimit FROM pg_roles WHERE rolname = $1', [owner])
  if (!role) throw new TargetError(`there is no role "${owner}"`, 'refused', '42704')
  return Number(role['rolconnlimit'])
}

/** Makes the slot where it is not; another's role of that name is refused. */
async function ownSlot(sql: Sql, slot: string, owner: string): Promise<void> {
  const name = quotedName(slot)
  const [there] = await sql(
    `SELECT shobj_description(oid, 'pg_authid') AS mark FROM pg_roles WHERE rolname = $1`,
    [slot],
  )
  if (there && there['mark'] !== mark(owner)) {
    throw new StatementError(
      `the role "${slot}" is somebody else's: rename it, or use rotation_strategy=single`,
    )
  }
  if (!there) await sql(`CREATE ROLE ${name} NOLOGIN INHERIT`)
  if (!there) await sql(`COMMENT ON ROLE ${name} IS ${literal(mark(owner))}`)
  await sql(`GRANT ${quotedName(owner)} TO ${name}`)
}

/**
 * Settings of a role hold for who logs in, not for whom it becomes: a search_path of the owner would
 * be lost. They are copied through the session, which writes lists as the server itself does.
 */
async function copySettings(sql: Sql, owner: string, slot: string): Promise<void> {
  const name = quotedName(slot)
  await sql(`ALTER ROLE ${name} RESET ALL`)
  const rows = await sql(
    `SELECT d.datname, split_part(s.setting, '=', 1) AS name,
            substr(s.setting, strpos(s.setting, '=') + 1) AS value
       FROM pg_db_role_setting c CROSS JOIN unnest(c.setconfig) AS s(setting)
       LEFT JOIN pg_database d ON d.oid = c.setdatabase
      WHERE c.setrole = (SELECT oid FROM pg_roles WHERE rolname = $1)`,
    [owner],
  )
  for (const row of rows) {
    const setting = String(row['name'])
    if (setting === 'role') continue
    const database = row['datname']
    const where = typeof database === 'string' ? ` IN DATABASE ${quotedName(database)}` : ''
    await sql('SELECT set_config($1, $2, true)', [setting, row['value']])
    await sql(`ALTER ROLE ${name}${where} SET ${settingName(setting)} FROM CURRENT`)
  }
}

/** Settings of extensions have a dot in their names. */
const settingName = (setting: string) => setting.split('.').map(quotedName).join('.')

/** What one slot is or has, and the other not; nothing before both are there. */
async function differenceOf(sql: Sql, slots: readonly string[]): Promise<string | undefined> {
  const rows = await sql(
    `SELECT r.rolname, r.rolsuper, r.rolcreaterole, r.rolcreatedb, r.rolreplication, r.rolbypassrls,
            ARRAY(SELECT m.roleid::regrole::text FROM pg_auth_members m
                   WHERE m.member = r.oid ORDER BY 1) AS groups
       FROM pg_roles r WHERE r.rolname = ANY($1)`,
    [slots],
  )
  const [one, other] = rows
  if (!one || !other) return undefined
  for (const key of Object.keys(one)) {
    if (key === 'rolname' || JSON.stringify(one[key]) === JSON.stringify(other[key])) continue
    const what = key === 'groups' ? 'its memberships' : key
    return `"${slots.join('" and "')}" differ in ${what}: grant to their owner instead`
  }
  return undefined
}

async function sessionsOf(sql: Sql, username: string): Promise<TargetSession[]> {
  const rows = await sql(
    `SELECT pid, application_name, host(client_addr) AS address,
            extract(epoch FROM backend_start) * 1000 AS since
       FROM pg_stat_activity WHERE usename = $1 AND pid <> pg_backend_pid()`,
    [username],
  )
  return rows.map((row) => ({
    id: String(row['pid']),
    user: username,
    application: shown(row['application_name']),
    address: shown(row['address']),
    since: Math.floor(Number(row['since'] ?? 0)),
  }))
}

/** As much of the log's end is read as one question can bear. */
const LOG_BYTES = 2_000_000

/**
 * Refused logins stand in the server's log and nowhere else. Whoever may not read it, or keeps it
 * elsewhere, is not told of any: then holders and acknowledgements alone count. Lines that quote a
 * statement are left out: this one is quoted too.
 */
async function refusedSince(
  target: PostgresTarget,
  username: string,
  since: number,
): Promise<number> {
  try {
    const [row] = await target.sql(
      `WITH log AS (SELECT pg_current_logfile() AS name),
            size AS (SELECT name, (pg_stat_file(name)).size FROM log WHERE name IS NOT NULL),
            lines AS (SELECT regexp_split_to_table(pg_read_file(name, greatest(size - $3, 0),
                        least(size, $3)), E'\\n') AS line FROM size)
       SELECT count(*) AS refused FROM lines
        WHERE (right(line, length($1)) = $1 OR right(line, length($2)) = $2)
          AND line !~ '(DETAIL|STATEMENT|LOG|HINT|CONTEXT):  '
          AND substring(line FROM '^[0-9]{4}-[0-9]{2}-[0-9]{2} [0-9:.]+ [A-Za-z0-9+-]+')::timestamptz
              >= to_timestamp($4::float8 / 1000)`,
      [
        `FATAL:  role "${username}" is not permitted to log in`,
        `FATAL:  password authentication failed for user "${username}"`,
        LOG_BYTES,
        since,
      ],
    )
    return Number(row?.['refused'] ?? 0)
  } catch (error) {
    // 42501: not permitted; 58P01: the log is not where it says.
    const code = error instanceof TargetError ? error.code : ''
    if (['42501', '58P01', '22007', '22021'].includes(code)) return 0
    throw error
  }
}
