/**
 * `static-roles/:name`: a user of long standing whose password is rotated by the server. Beyond what
 * Vault takes: how it is rotated, and what must hold before the old password ends; all of it optional.
 */
import { type Call, collection, endpoint, refuse, reply, t } from '../../kit/kit.ts'
import { type RotationRules, type RotationTiming } from '../../kit/rotation.ts'
import { rfc3339 } from '../../lib/clock.ts'
import { cronTrouble } from '../../lib/cron.ts'
import { checkAllowed, connectionNamed, withTarget } from './connection.ts'
import { type CredentialConfig, credentialType } from './credential.ts'
import { pluginNamed } from './plugins.ts'
import { configOf, credentialFields, withoutEmpty } from './roles.ts'
import { chooseStrategy, STRATEGIES, type Strategy } from './rotation/choose.ts'
import { removeServed, servedCreds, type Settings } from './rotation/kinds.ts'
import { addressOf } from './target.ts'
import { telling } from './creds.ts'

/** Entry `static-role/<name>`. */
export type StaticRole = {
  db_name: string
  username: string
  rotation_statements: string[]
  /** Seconds; 0 = by schedule. */
  rotation_period: number
  rotation_schedule: string
  rotation_window: number
  credential_type: 'password'
  credential_config: CredentialConfig
  skip_import_rotation: boolean
  strategy: Strategy
  accept_gap: boolean
  endpoints: string[]
  rules: RotationRules
}

export const staticRoles = collection<StaticRole>('static-role/')

const PERIOD_MIN = 5
const WINDOW_MIN = 3600

const name = t.name({ help: 'Name of the static role.' })

const fields = {
  name,
  db_name: t.string({ help: 'The connection it uses.', clear: true }),
  username: t.string({ help: 'The user in the database. It must be there.', clear: true }),
  password: t.string({
    help: 'Its password as it is, to be served until the first rotation.',
    sensitive: true,
  }),
  self_managed_password: t.string({ help: 'As password.', sensitive: true, deprecated: true }),
  rotation_period: t.duration({ help: 'How often it is rotated; 5s or more.' }),
  rotation_schedule: t.string({ help: 'Or when: cron, five fields, UTC.' }),
  rotation_window: t.duration({ help: 'How long after the time of a schedule it may be done.' }),
  rotation_statements: t.texts({
    help: 'How the password is changed, if not as usual: has a gap.',
  }),
  skip_import_rotation: t.bool({ help: 'Do not rotate it at once.', clear: true }),
  rotation_strategy: t.oneOf(STRATEGIES, {
    help: 'ab = two users take turns, dual = two passwords, single = with a gap; auto unless set.',
    clear: true,
  }),
  accept_gap: t.bool({
    help: 'A moment in which the password does not work is accepted.',
    clear: true,
  }),
  endpoints: t.list({
    help: 'More addresses, host:port, that must take a login before it is served.',
  }),
  max_grace: t.duration({ help: 'After this, who still holds the old password is told of.' }),
  quiet: t.duration({ help: 'No session with the old password for so long, before it ends.' }),
  undo_window: t.duration({
    help: 'How long its end can be undone, and is when somebody misses it.',
  }),
  reader_hold: t.duration({ help: 'How long a reader that says nothing counts as holder.' }),
  ...credentialFields,
}

type WriteCall = Parameters<typeof write>[0]

/** No database takes as many; which takes how many is its own matter. */
const USERNAME_MAX = 1024

export const staticRoleEndpoints = [
  endpoint('static-roles', {
    help: 'The names of all static roles.',
    fields: {},
    list: async ({ store, page }) => ({ keys: await staticRoles.names(store, page) }),
  }),
  endpoint('static-roles/:name', {
    help: 'A user of long standing whose password is rotated.',
    fields,
    exists: async ({ data, store }) => (await staticRoles.get(store, data.name)) !== undefined,
    async read({ data, store }) {
      const role = await staticRoles.get(store, data.name)
      if (!role) return undefined
      const served = await servedCreds.get(store, data.name)
      const config = Object.keys(role.credential_config).length > 0
      return {
        db_name: role.db_name,
        username: role.username,
        rotation_statements: role.rotation_statements,
        credential_type: role.credential_type,
        ...(config && { credential_config: role.credential_config }),
        ...shownTiming(role),
        skip_import_rotation: role.skip_import_rotation,
        ...(served && { last_vault_rotation: rfc3339(served.at) }),
      }
    },
    write,
    async delete({ data, store }) {
      const role = await staticRoles.get(store, data.name)
      staticRoles.remove(store, data.name)
      removeServed(store, data.name)
      if (!role) return undefined
      return reply({ rotation: { act: 'retire', kind: role.strategy, name: data.name } })
    },
    example: { db_name: 'app-db', username: 'app', rotation_period: '24h' },
  }),
]

type Given = {
  name: string
  db_name: string | undefined
  username: string | undefined
  password: string | undefined
  self_managed_password: string | undefined
  rotation_period: number | undefined
  rotation_schedule: string | undefined
  rotation_window: number | undefined
  rotation_statements: string[] | undefined
  skip_import_rotation: boolean | undefined
  rotation_strategy: (typeof STRATEGIES)[number] | undefined
  accept_gap: boolean | undefined
  endpoints: string[] | undefined
  max_grace: number | undefined
  quiet: number | undefined
  undo_window: number | undefined
  reader_hold: number | undefined
  credential_type: string | undefined
  credential_config: Record<string, unknown> | undefined
}

async function write(call: Call<Given>) {
  const { data, store, mount } = call
  const before = await staticRoles.get(store, data.name)
  const db = data.db_name ?? before?.db_name ?? ''
  if (db === '') refuse('empty database name attribute')
  const username = data.username || before?.username || ''
  if (username === '') refuse('username is a required field to create a static account')
  if (username.includes('\0') || username.length > USERNAME_MAX) {
    refuse(`username must hold no NUL, and at most ${USERNAME_MAX} characters`)
  }
  if (before && username !== before.username) refuse('cannot update static account username')
  const connection = await connectionNamed(store, db)
  checkAllowed(connection, data.name)
  const { family } = pluginNamed(connection.plugin_name)
  const statements = withoutEmpty(data.rotation_statements ?? before?.rotation_statements ?? [])
  const accepted = data.accept_gap ?? before?.accept_gap ?? false
  const wish = data.rotation_strategy ?? before?.strategy ?? 'auto'
  const selfManaged = data.self_managed_password !== undefined && wish === 'auto'
  const strategy = chooseStrategy(family, {
    strategy: selfManaged ? 'single' : wish,
    statements,
    acceptGap: accepted,
  })
  if (before && before.strategy !== strategy) {
    refuse('rotation_strategy cannot be changed: delete the static role, and make it anew')
  }
  const skips = data.skip_import_rotation ?? before?.skip_import_rotation
  const skip = skips ?? connection.skip_static_role_import_rotation
  const role: StaticRole = {
    db_name: db,
    username,
    rotation_statements: statements,
    ...timingOf(data, before),
    credential_type: passwordOnly(data.credential_type),
    credential_config: configOf(data.credential_config, before?.credential_config),
    skip_import_rotation: skip,
    strategy,
    accept_gap: accepted,
    endpoints: endpointsOf(data.endpoints ?? before?.endpoints ?? []),
    rules: rulesOf(data, before?.rules),
  }
  staticRoles.put(store, data.name, role)
  if (!before && family === 'redis') await warnOfRestart(call, db)
  const password = data.password ?? data.self_managed_password
  return reply({
    rotation: {
      act: 'declare',
      kind: strategy,
      name: data.name,
      settings: {
        db_name: db,
        username,
        accept_gap: accepted,
        statements,
        credential_config: role.credential_config,
        endpoints: role.endpoints,
      } satisfies Settings,
      timing: rotationTiming(role),
      rules: role.rules,
      rotate: !before && !skip,
      ...(password !== undefined && { imported: { username, password } }),
    },
  })

  /** A server that keeps its users nowhere forgets the new password when it is started again. */
  async function warnOfRestart({ once, warn }: Pick<WriteCall, 'once' | 'warn'>, at: string) {
    const kept = await once(['persist', connection], () =>
      telling('error asking the server', () =>
        withTarget({ mount, name: at }, connection, async (opened) =>
          opened.family === 'redis' ? opened.target.persist() : true,
        ),
      ),
    )
    if (kept) return
    warn(
      'this Redis server keeps its users neither in an aclfile nor in a configuration file: a ' +
        'restart brings the old password back, and the rotated one is refused',
    )
  }
}

/** Only what is set; a rotation has one or the other. */
export function rotationTiming(role: StaticRole): RotationTiming {
  if (role.rotation_period > 0) return { periodSeconds: role.rotation_period }
  return {
    schedule: role.rotation_schedule,
    ...(role.rotation_window > 0 && { windowSeconds: role.rotation_window }),
  }
}

export const shownTiming = (role: StaticRole) =>
  role.rotation_period > 0
    ? { rotation_period: role.rotation_period }
    : {
        rotation_schedule: role.rotation_schedule,
        ...(role.rotation_window > 0 && { rotation_window: role.rotation_window }),
      }

type Timing = Pick<StaticRole, 'rotation_period' | 'rotation_schedule' | 'rotation_window'>

function timingOf(data: Given, before: StaticRole | undefined): Timing {
  const { rotation_period: period, rotation_schedule: schedule, rotation_window: window } = data
  if (period !== undefined && schedule !== undefined && schedule !== '') {
    refuse(
      'mutually exclusive fields rotation_period and rotation_schedule were both specified; ' +
        'only one of them can be provided',
    )
  }
  if (period !== undefined) {
    if (period < PERIOD_MIN) refuse(`rotation_period must be ${PERIOD_MIN} seconds or more`)
    if (window) refuse('rotation_window is invalid with use of rotation_period')
    return { rotation_period: period, rotation_schedule: '', rotation_window: 0 }
  }
  if (window !== undefined && window > 0 && window < WINDOW_MIN) {
    refuse(`rotation_window must be ${WINDOW_MIN} seconds or more`)
  }
  if (schedule !== undefined && schedule !== '') {
    const trouble = cronTrouble(schedule)
    if (trouble) refuse(`could not parse rotation_schedule: ${trouble}`)
    return { rotation_period: 0, rotation_schedule: schedule, rotation_window: window ?? 0 }
  }
  if (!before) {
    refuse(
      'one of rotation_schedule or rotation_period must be provided to create a static account',
    )
  }
  if (window && before.rotation_period > 0) {
    refuse('rotation_window is invalid with use of rotation_period')
  }
  const { rotation_period, rotation_schedule, rotation_window } = before
  return { rotation_period, rotation_schedule, rotation_window: window ?? rotation_window }
}

function passwordOnly(given: string | undefined): 'password' {
  const type = credentialType(given || 'password')
  return type === 'password' ? type : refuse(`static roles rotate passwords, and no ${type}`)
}

function endpointsOf(given: readonly string[]): string[] {
  for (const text of given) {
    const port = addressOf(text, 0)?.port
    if (!port) refuse('endpoints must be host:port')
  }
  return [...given]
}

function rulesOf(data: Given, before: RotationRules | undefined): RotationRules {
  const { max_grace: grace, quiet, undo_window: undo, reader_hold: reader } = data
  return {
    ...before,
    ...(grace !== undefined && { maxGraceSeconds: grace }),
    ...(quiet !== undefined && { quietSeconds: quiet }),
    ...(undo !== undefined && { undoWindowSeconds: undo }),
    ...(reader !== undefined && { readerHoldSeconds: reader }),
  }
}
