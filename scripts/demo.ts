/**
 * npm run demo: the way of a secret, from the operator who stores it to the app that uses it, with a
 * real server and two real apps. Says what it does, checks what it says, and ends with 0 only when
 * all of it held.
 */
import { createHash, randomBytes } from 'node:crypto'
import { mkdirSync, readdirSync, readFileSync, statSync } from 'node:fs'
import { get } from 'node:https'
import { join, resolve } from 'node:path'
import { findPython, NO_HVAC } from '../test/support/python.ts'
import {
  type Api,
  auditLines,
  cleanEnv,
  http,
  startServer,
  type TestServer,
} from '../test/support/server.ts'
import { passwordIsRotated } from './demo-rotation.ts'
import { type App, createStage, type Stage, startApp } from './demo-stage.ts'

const ROOT = resolve(import.meta.dirname, '..')
const ENVIRONMENTS = ['staging', 'production'] as const
type Environment = (typeof ENVIRONMENTS)[number]
type Values = Record<'url' | 'apiKey' | 'certificate' | 'privateKey', string>

type Play = {
  stage: Stage
  server: TestServer
  /** As the operator. */
  api: Api
  /** Where the operator put the role ids and secret ids. */
  ids: string
  python: string | undefined
  values: Record<Environment, Values>
  /** Every value that was ever stored, secret ids and tokens included: none may be seen anywhere. */
  secrets: string[]
}

export type DemoResult = { held: boolean; text: string; secrets: readonly string[] }
export type DemoOptions = { write: (text: string) => void; color?: boolean; columns?: number }

/** Plays it all. Rejects when something is missing that it cannot be played without. */
export async function demo({ write, color = false, columns }: DemoOptions): Promise<DemoResult> {
  const stage = createStage(write, color, columns)
  stage.title('coffer: the way of a secret')
  stage.step('A server starts: SQLite on disk, an audit log, and a key that is split')
  await using server = await startServer({ kind: 'config', audit: true, shares: 3, threshold: 2 })
  stage.say(`It answers at ${server.address}. Any 2 of its 3 unseal keys open it.`)
  const play: Play = {
    stage,
    server,
    api: http(server.address, { token: server.rootToken }),
    ids: join(server.dir, 'ids'),
    python: findPython(),
    values: {} as Play['values'],
    secrets: [server.rootToken, ...server.unsealKeys],
  }
  const { at } = await health(play)
  stage.check('it is initialized and open', at('initialized') === true && at('sealed') === false)
  await operatorSetsUp(play)
  const app = await nodeAppStarts(play)
  try {
    await pythonAppRuns(play)
    await stagingIsRefused(play)
    await nothingIsInClear(play)
    await newVersionArrives(play, app)
    await passwordIsRotated(play)
    await revokedIdIsRefused(play)
    await serverIsKilled(play, app)
    await appStops(play, app)
  } finally {
    await app.stop()
  }
  auditTellsAll(play)
  const seen = play.secrets.filter((secret) => stage.text().includes(secret))
  stage.check(`none of ${play.secrets.length} secret values was printed above`, seen.length === 0)
  return { held: stage.summary(), text: stage.text(), secrets: play.secrets }
}

async function health({ api }: Play) {
  const reply = await api.read('sys/seal-status')
  return { at: (path: string) => reply.at(path) }
}

async function operatorSetsUp(play: Play): Promise<void> {
  const { stage, server, ids } = play
  stage.step('An operator stores a URL, a key and a certificate, for two environments')
  mkdirSync(ids, { mode: 0o700 })
  const setup = startApp('sh', [join(ROOT, 'examples/operator/setup.sh'), ids], {
    who: 'operator',
    env: cleanEnv(server.dir, { VAULT_ADDR: server.address, VAULT_TOKEN: server.rootToken }),
    onLine: (who, text) => stage.line(who, text.replace(server.dir, '…')),
  })
  if ((await setup.ended) !== 0) throw new Error('the operator could not set the shop up')
  for (const environment of ENVIRONMENTS) {
    const read = async (name: string, field: string) => {
      const reply = await play.api.read(`apps/data/${environment}/${name}`)
      return String(reply.at(`data.data.${field}`))
    }
    const values = {
      url: await read('database', 'url'),
      apiKey: await read('payments', 'api_key'),
      certificate: await read('tls', 'certificate'),
      privateKey: await read('tls', 'private_key'),
    }
    play.values[environment] = values
    play.secrets.push(values.url, values.apiKey, values.privateKey, secretIdOf(play, environment))
    // What a URL hides is its password, and a key may be shown without its frame.
    play.secrets.push(new URL(values.url).password, bodyOf(values.privateKey))
  }
  const { data: { keys = [] } = {} } = (await play.api.list('apps/metadata/production')).body as {
    data?: { keys?: string[] }
  }
  stage.check('each environment has its three secrets', keys.join() === 'database,payments,tls')
}

const bodyOf = (pem: string) => pem.split('\n')[1] ?? pem
const secretIdOf = ({ ids }: Play, environment: Environment) =>
  readFileSync(join(ids, environment, 'secret-id'), 'utf8').trim()

/** The app's own words for a value it holds. */
function mark(value: string): string {
  const print = createHash('sha256').update(value).digest('hex').slice(0, 12)
  return `${value.length} characters, sha256 ${print}`
}

/** Starts an app with the ids of one environment, asking for the secrets of one. */
function start(play: Play, which: 'node' | 'python', as: Environment, wants = as): App {
  const { server, ids, python = '' } = play
  const [command, args] =
    which === 'node'
      ? [process.execPath, ['--no-warnings', join(ROOT, 'examples/node-app/app.ts')]]
      : [python, [join(ROOT, 'examples/python-app/app.py')]]
  return startApp(command, args, {
    who: `${which}-app`,
    env: cleanEnv(server.dir, {
      APP_ENV: wants,
      VAULT_ADDR: server.address,
      VAULT_ROLE_ID: readFileSync(join(ids, as, 'role-id'), 'utf8').trim(),
      VAULT_SECRET_ID_FILE: join(ids, as, 'secret-id'),
    }),
    onLine: play.stage.line,
  })
}

async function nodeAppStarts(play: Play): Promise<App> {
  const { stage, values } = play
  stage.step('The Node app starts in production: vault:// references become values')
  const app = start(play, 'node', 'production')
  const following = await app.waitFor(/in use is version/, 10_000)
  const said = app.lines.join('\n')
  const { url, apiKey, certificate } = values.production
  stage.check('what is no reference was used as it is', said.includes('host 127.0.0.1'))
  stage.check('its database URL is the one that was stored', said.includes(mark(url)))
  stage.check('its API key is version 1, and the stored one', following.includes(mark(apiKey)))
  const port = /serving https:\/\/127\.0\.0\.1:(\d+)/.exec(said)?.[1] ?? '0'
  const body = await fetchWith(certificate, Number(port)).catch((error: Error) => error.message)
  stage.check('it serves HTTPS with the stored certificate and key', body === 'ok\n')
  return app
}

function fetchWith(ca: string, port: number): Promise<string> {
  return new Promise((done, refuse) => {
    get({ host: '127.0.0.1', port, ca, agent: false }, (response) => {
      let text = ''
      response.on('data', (chunk: Buffer) => (text += chunk.toString()))
      response.on('end', () => done(text))
    }).on('error', refuse)
  })
}

async function pythonAppRuns(play: Play): Promise<void> {
  const { stage, values } = play
  stage.step('The Python app fetches the same secrets, with the hvac client')
  if (play.python === undefined) return stage.say(`Left out: ${NO_HVAC}.`)
  const app = start(play, 'python', 'production')
  const code = await app.ended
  const said = app.lines.join('\n')
  const { url, apiKey } = values.production
  const same = said.includes(mark(url)) && said.includes(mark(apiKey))
  stage.check('it has the same values as the Node app', code === 0 && same)
}

async function stagingIsRefused(play: Play): Promise<void> {
  const { stage } = play
  stage.step('Staging asks for the secrets of production')
  const app = start(play, 'node', 'staging', 'production')
  const code = await app.ended
  const refused = app.lines.some((line) => line.includes('production/database: 403'))
  stage.check('the Node app is refused with a 403 and does not start', code === 1 && refused)
  if (play.python === undefined) return
  const job = start(play, 'python', 'staging', 'production')
  const jobCode = await job.ended
  const forbidden = job.lines.some((line) => line.includes('Forbidden'))
  stage.check('so is the Python app', jobCode === 1 && forbidden)
}

/** Files of the server below `dir`: its store and its log, not what the operator was given. */
function serverFiles({ server, ids }: Play): string[] {
  return readdirSync(server.dir, { recursive: true, encoding: 'utf8' })
    .map((name) => join(server.dir, name))
    .filter((file) => !file.startsWith(ids) && statSync(file).isFile())
}

async function nothingIsInClear(play: Play): Promise<void> {
  const { stage, secrets } = play
  stage.step('The store and the audit log are searched for the values')
  const files = serverFiles(play)
  const stored = files.map((file) => readFileSync(file))
  const forms = secrets.flatMap((secret) => [secret, Buffer.from(secret).toString('base64')])
  const found = forms.filter((form) => stored.some((bytes) => bytes.includes(form)))
  const bytes = stored.reduce((sum, { length }) => sum + length, 0)
  stage.say(`${files.length} files, ${Math.round(bytes / 1024)} KiB.`)
  const database = stored.some((content) => content.includes('SQLite format 3'))
  stage.check('no value is in any of them', database && found.length === 0)
}

async function newVersionArrives(play: Play, app: App): Promise<void> {
  const { stage } = play
  stage.step('The operator writes a new API key while the Node app runs')
  const { said, apiKey, ms } = await writeApiKey(play, app, 2)
  stage.check(`the app has it, ${ms} ms after the write (at most 2000)`, ms <= 2000)
  stage.check('it is the one that was written', said.includes(mark(apiKey)))
}

async function writeApiKey(play: Play, app: App, version: number) {
  const apiKey = `pay_production_${randomBytes(20).toString('hex')}`
  play.secrets.push(apiKey)
  const from = app.lines.length
  const begin = performance.now()
  await play.api.write('apps/data/production/payments', { data: { api_key: apiKey } })
  const pattern = new RegExp(`in use is version ${version} `)
  const said = await app.waitFor(pattern, 15_000, from)
  return { said, apiKey, ms: Math.round(performance.now() - begin) }
}

async function revokedIdIsRefused(play: Play): Promise<void> {
  const { stage } = play
  stage.step('The operator revokes the secret id; someone starts the app with it again')
  const { status } = await play.api.write('auth/approle/role/shop-production/secret-id/destroy', {
    secret_id: secretIdOf(play, 'production'),
  })
  const app = start(play, 'node', 'production')
  const code = await app.ended
  const clear = app.lines.some((line) => line.includes('ask the operator for a new one'))
  stage.check(
    'the start fails, and the message says what to do',
    status === 204 && code === 1 && clear,
  )
  if (play.python === undefined) return
  const job = start(play, 'python', 'production')
  const jobCode = await job.ended
  stage.check('so it does in Python', jobCode === 1 && job.lines.join().includes('a new one'))
}

async function serverIsKilled(play: Play, app: App): Promise<void> {
  const { stage, server, api } = play
  stage.step('The server is killed without warning, and started again')
  await server.kill('SIGKILL')
  await server.restart({ unseal: false })
  const { status } = await api.read('apps/data/production/payments')
  stage.check('it comes back sealed, and serves nothing', status === 503)
  await server.unseal()
  const current = await api.read('apps/data/production/payments')
  stage.check('unsealed, it has what was written', current.at('data.metadata.version') === 2)
  const { said, apiKey, ms } = await writeApiKey(play, app, 3)
  stage.check(`the Node app went on: it has version 3 after ${ms} ms`, said.includes(mark(apiKey)))
}

async function appStops({ stage, api }: Play, app: App): Promise<void> {
  stage.step('The Node app is stopped')
  const before = (await api.list('auth/token/accessors')).at('data.keys') as string[]
  const code = await app.stop()
  const after = (await api.list('auth/token/accessors')).at('data.keys') as string[]
  stage.check('it ends well and gives its token back', code === 0 && after.length < before.length)
}

function auditTellsAll({ stage, server, secrets }: Play): void {
  stage.step('The audit log is read')
  const lines = auditLines(server)
  const answers = lines.filter(({ type }) => type === 'response')
  const requestOf = (line: Record<string, unknown>) =>
    Object(line['request']) as Record<string, unknown>
  const about = (path: string) => answers.filter((line) => requestOf(line)['path'] === path)
  const refused = answers.filter(
    ({ error }) => typeof error === 'string' && error.includes('denied'),
  )
  const logins = about('auth/approle/login').length
  stage.say(`${lines.length} lines: ${logins} logins, ${refused.length} refusals.`)
  const reads = about('apps/data/production/database').length
  stage.check(
    'every login, read and refusal is in it',
    logins >= 2 && reads >= 2 && refused.length > 0,
  )
  const text = readFileSync(server.auditFile, 'utf8')
  const clear = secrets.filter((secret) => text.includes(secret))
  stage.check('and not one value', clear.length === 0)
}

if (import.meta.main) {
  try {
    const write = (text: string) => void process.stdout.write(text)
    const color = process.stdout.isTTY && !process.env['NO_COLOR']
    const columns = process.stdout.columns as number | undefined
    const { held } = await demo({ write, color, ...(columns && { columns }) })
    process.exitCode = held ? 0 : 1
  } catch (error) {
    console.error(`the demo could not be played to its end: ${(error as Error).message}`)
    process.exitCode = 1
  }
}
