/**
 * The part of the demo in which a database password changes under an app that is at work, and the old
 * one, which somebody has stolen, is of no use any more.
 */
import { join, resolve } from 'node:path'
import { NO_POSTGRES, type Postgres, startPostgres } from '../test/support/postgres.ts'
import { type Api, cleanEnv, type TestServer } from '../test/support/server.ts'
import { type App, type Stage, startApp } from './demo-stage.ts'

const ROOT = resolve(import.meta.dirname, '..')
const PATH = 'database/static-creds/shop'

export type RotationPlay = {
  stage: Stage
  server: TestServer
  /** As the operator. */
  api: Api
  /** What may be seen nowhere. */
  secrets: string[]
}
type Login = { username: string; password: string }
type Status = {
  state: string
  generation: number
  holders: { name: string; app: string; state: string }[]
}

export async function passwordIsRotated(play: RotationPlay): Promise<void> {
  const { stage } = play
  stage.step('A database password is rotated while an app is under load')
  if (NO_POSTGRES) return stage.say(`Left out: ${NO_POSTGRES}.`)
  await using postgres = await startPostgres()
  await operatorSetsUp(play, postgres)
  const app = await appStarts(play, postgres)
  try {
    const stolen = await passwordIsStolen(play, postgres)
    await rotated(play, { postgres, app, stolen })
  } finally {
    await app.stop()
  }
  const told = app.lines.at(-1) ?? ''
  const [, connections = '0', errors = ''] = /^(\d+) connections, (\d+) errors$/.exec(told) ?? []
  stage.check(`the app opened ${connections} connections, none failed`, errors === '0')
  const log = postgres.log()
  const shown = play.secrets.filter((secret) => log.includes(secret))
  stage.check("PostgreSQL's log has no password, though it logs each statement", shown.length === 0)
}

async function done({ api }: RotationPlay, path: string, body: unknown = {}) {
  const answer = await api.write(path, body)
  if (answer.status >= 300) throw new Error(`${path}: ${answer.errors.join('; ')}`)
  return answer
}

async function operatorSetsUp(play: RotationPlay, postgres: Postgres): Promise<void> {
  await postgres.sql("CREATE ROLE shop LOGIN PASSWORD 'as-it-has-been-for-years'")
  await done(play, 'sys/mounts/database', { type: 'database' })
  await done(play, 'sys/policies/acl/shop-database', {
    policy: `path "${PATH}" { capabilities = ["read"] }`,
  })
  await done(play, 'database/config/shop', {
    plugin_name: 'postgresql-database-plugin',
    connection_url: postgres.template,
    allowed_roles: '*',
    ...postgres.superuser,
  })
  await done(play, 'database/rotate-root/shop')
  await done(play, 'database/static-roles/shop', {
    db_name: 'shop',
    username: 'shop',
    rotation_period: '24h',
    // Minutes would be usual; who watches a demo has seconds.
    quiet: '1s',
    undo_window: '1s',
  })
  play.stage.say('PostgreSQL runs; its user "shop" is rotated every 24 hours from now on.')
}

async function newToken(play: RotationPlay): Promise<string> {
  const made = await done(play, 'auth/token/create', { policies: ['shop-database'] })
  const token = String(made.at('auth.client_token'))
  play.secrets.push(token)
  return token
}

async function appStarts(play: RotationPlay, postgres: Postgres): Promise<App> {
  const { stage, server } = play
  const app = startApp(
    process.execPath,
    ['--no-warnings', join(ROOT, 'examples/rotating-app/app.ts')],
    {
      who: 'pg-app',
      env: cleanEnv(server.dir, {
        VAULT_ADDR: server.address,
        VAULT_TOKEN: await newToken(play),
        PGHOST: '127.0.0.1',
        PGPORT: String(postgres.port),
      }),
      onLine: stage.line,
    },
  )
  await app.waitFor(/log in as shop_a/, 15_000)
  return app
}

/** Read with a token that is revoked at once: whoever has the copy is no holder that anybody knows. */
async function passwordIsStolen(play: RotationPlay, postgres: Postgres): Promise<Login> {
  const { stage, api, secrets } = play
  const token = await newToken(play)
  const { body } = await api.read(PATH, { token })
  const { username, password } = body['data'] as Login
  await done(play, 'auth/token/revoke', { token })
  secrets.push(password)
  stage.check(
    'somebody has stolen the password, and can log in with it',
    await postgres.takes(username, password),
  )
  return { username, password }
}

type Rotated = { postgres: Postgres; app: App; stolen: Login }

async function rotated(play: RotationPlay, { postgres, app, stolen }: Rotated): Promise<void> {
  const { stage, api } = play
  const from = app.lines.length
  const begin = performance.now()
  const seconds = () => ((performance.now() - begin) / 1000).toFixed(1)
  await done(play, `sys/coffer/rotate/now/${PATH}`)
  await app.waitFor(/log in as shop_b/, 15_000, from)
  stage.say(`The operator rotates. After ${seconds()} s the app uses the new login.`)
  const old = await postgres.takes(stolen.username, stolen.password)
  const status = async () =>
    (await api.read(`sys/coffer/rotate/status/${PATH}`)).body['data'] as Status
  let now = await status()
  const early = now.state === 'IDLE'
  while (now.state !== 'IDLE') {
    await new Promise((later) => setTimeout(later, 50))
    now = await status()
  }
  const names = now.holders.map(({ app: name, state }) => `${name} (${state})`).join(', ')
  stage.say(`Holders: ${names}. Nobody had the old login any more, so it was ended.`)
  stage.check(
    'until then the old password worked, so nobody was locked out',
    old && !early && now.generation === 2,
  )
  const refused = !(await postgres.takes(stolen.username, stolen.password))
  stage.check(`${seconds()} s after the rotation began, the stolen password is refused`, refused)
}
