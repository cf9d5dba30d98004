/**
 * Thousands of canaries through every route of the server, what fails on the client's side, and the
 * command line; then they are looked for in all that was written on the way: audit log, log, files,
 * metrics, errors, and what others are answered.
 */
import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { inspect } from 'node:util'
import { connect, token } from '../../src/client/client.ts'
import { runCli } from '../support/fake-vault.ts'
import { type Api, http, startServer, type TestServer } from '../support/server.ts'
import { allRoutes, type Canary, malformed, requestOf, storeAndRead } from './leak-routes.ts'
import { canaries, filesUnder, hitsIn, type Place } from './leak-search.ts'
import { seeded } from './seeded.ts'

export type Hunted = {
  canaries: number
  requests: number
  routes: number
  commands: number
  /** Bytes that were looked through. */
  bytes: number
  hits: string[]
  /** Of canaries that were put where they are found: the search is no use when it misses one. */
  controls: number
  controlsFound: number
}

export type Hunt = { canaries: number; seed: number; tell?: (text: string) => void }

const AT_ONCE = 16
const TIMEOUT_MS = 10_000

export async function leakHunt({ canaries: wanted, seed, tell }: Hunt): Promise<Hunted> {
  const cage = canaries(seeded(seed))
  await using server = await startServer({
    kind: 'config',
    audit: true,
    flags: ['-log-level=trace'],
  })
  const api = http(server.address, { token: server.rootToken })
  const routes = await allRoutes(api)
  const said: Place[] = []
  const say = (name: string, text: string) => said.push({ name, bytes: Buffer.from(text) })
  let requests = 0
  let commands = 0
  let round = 0
  while (cage.made.length < wanted) {
    await storeAndRead(api, cage.next, round)
    await malformed(api, cage.plain)
    const asks = routes.map((route) => requestOf(route, cage.next))
    await inTurn(asks, async ({ method, path, ...ask }) => {
      requests++
      const answer = await answerOf(server, method, path, ask)
      if (answer.status >= 400) say(`an error of ${method} ${path}`, answer.text)
    })
    commands += await commandLine(server, cage.plain, say)
    await clientErrors(server, cage.plain, say)
    tell?.(`${cage.made.length} canaries, ${requests} requests`)
    round++
  }
  await othersAnswers(server, api, say)
  const control = cage.plain()
  // A path is told in the audit log.
  await api.read(`kv2/data/${control}`)
  await server.stop()
  const files = filesUnder(server.dir)
  const places = [...said, ...files, { name: 'the log', bytes: Buffer.from(server.output()) }]
  const hits = hitsIn(places, cage.made).filter((hit) => hit !== `audit.log: ${control}`)
  const planted = cage.made.slice(0, 4)
  return {
    canaries: cage.made.length,
    requests,
    routes: routes.length,
    commands,
    bytes: places.reduce((sum, { bytes }) => sum + bytes.length, 0),
    hits,
    controls: 5,
    controlsFound:
      hitsIn(files, [control]).length +
      planted.filter((text, i) => hitsIn([inForm(text, i)], [text]).length === 1).length,
  }
}

function inForm(text: string, i: number): Place {
  const forms = [
    text,
    JSON.stringify({ text }),
    encodeURIComponent(text),
    Buffer.from(`x${text}yz`).toString('base64'),
  ]
  return { name: 'planted', bytes: Buffer.from(`before ${forms[i]!} after`) }
}

async function inTurn<T>(items: readonly T[], work: (item: T) => Promise<void>): Promise<void> {
  const left = [...items]
  const worker = async () => {
    for (let item = left.shift(); item !== undefined; item = left.shift()) await work(item)
  }
  await Promise.all(Array.from({ length: AT_ONCE }, worker))
}

type Ask = { body?: unknown; query?: Record<string, string> }

async function answerOf(server: TestServer, method: string, path: string, { body, query }: Ask) {
  const url = `${server.address}/v1/${path}?${new URLSearchParams(query).toString()}`
  const answer = await fetch(url, {
    method,
    headers: { 'x-vault-token': server.rootToken, 'content-type': 'application/json' },
    ...(body !== undefined && { body: JSON.stringify(body) }),
    signal: AbortSignal.timeout(TIMEOUT_MS),
  })
  return { status: answer.status, text: await answer.text() }
}

type Say = (name: string, text: string) => void

/** What others may ask for: no secret of anybody's is in it. */
async function othersAnswers(server: TestServer, api: Api, say: Say): Promise<void> {
  const { body } = await api.write('auth/token/create', { policies: ['default'] })
  const { client_token: other } = Object(body['auth']) as { client_token?: string }
  const paths = [
    'sys/health',
    'sys/seal-status',
    'sys/leader',
    'sys/internal/ui/mounts',
    'sys/mounts',
  ]
  for (const path of [
    ...paths,
    'auth/token/lookup-self',
    'kv2/data/thing-0',
    'cubbyhole/thing-0',
  ]) {
    say(`what another is answered at ${path}`, (await api.read(path, { token: other })).text)
  }
  for (const query of [{ format: 'prometheus' }, {}]) {
    say('the metrics', (await api.read('sys/metrics', { query })).text)
  }
  say('the requests under way', (await api.read('sys/in-flight-req')).text)
}

/** Commands with a canary where a secret stands; none of them prints what it was given. */
const COMMANDS: readonly ((c: Canary) => { argv: string[]; stdin?: string; env?: Env })[] = [
  (c) => ({ argv: ['kv', 'put', 'kv2/cli', `password=${c()}`, `other=${c()}`] }),
  (c) => ({ argv: ['kv', 'patch', 'kv2/cli', `password=${c()}`] }),
  (c) => ({ argv: ['kv', 'put', 'kv2/cli', '-'], stdin: `{"a":"${c()}"` }),
  (c) => ({ argv: ['kv', 'put', 'kv2/cli', '-'], stdin: `{"a":${c()}}` }),
  (c) => ({ argv: ['write', 'cubbyhole/cli', `value=${c()}`] }),
  (c) => ({ argv: ['write', 'auth/approle/login', `role_id=${c()}`, `secret_id=${c()}`] }),
  (c) => ({ argv: ['write', 'sys/nothing/at/all', `value=${c()}`] }),
  (c) => ({ argv: ['login', '-method=userpass', 'username=nobody', `password=${c()}`] }),
  (c) => ({ argv: ['login', '-'], stdin: c() }),
  (c) => ({ argv: ['login', c()] }),
  (c) => ({ argv: ['token', 'lookup', c()] }),
  (c) => ({ argv: ['token', 'renew', c()] }),
  (c) => ({ argv: ['token', 'revoke', c()] }),
  (c) => ({ argv: ['unwrap', c()] }),
  (c) => ({ argv: ['operator', 'unseal', c()] }),
  (c) => ({ argv: ['policy', 'write', 'cli', '-'], stdin: `path "a" { capabilities = ["${c()}` }),
  (c) => ({ argv: ['kv', 'get', 'kv2/cli'], env: { VAULT_TOKEN: c() } }),
  (c) => ({ argv: ['kv', 'get', 'kv2/nothing'], env: { VAULT_TOKEN: `hvs.${c()}` } }),
  (c) => ({ argv: ['leaked', 'report', '-from=-'], stdin: `{"value":"${c()}` }),
  (c) => {
    const value = c()
    return {
      argv: ['scrub', '-env', '-rules=false'],
      stdin: `said ${value}\n`,
      env: { APP_TOKEN: value },
    }
  },
]
type Env = Record<string, string>

async function commandLine(server: TestServer, canary: Canary, say: Say): Promise<number> {
  const home = mkdtempSync(join(tmpdir(), 'coffer-hunt-'))
  const own = { VAULT_ADDR: server.address, VAULT_TOKEN: server.rootToken }
  try {
    for (const make of COMMANDS) {
      const { argv, env, stdin = '' } = make(canary)
      const { out, err } = await runCli(argv, { env: { ...own, ...env }, stdin, home })
      say(`the command ${argv.slice(0, 2).join(' ')}`, out + err)
    }
  } finally {
    rmSync(home, { recursive: true, force: true })
  }
  return COMMANDS.length
}

/** Whatever a program may do with an error: print it, look into it, send it away as JSON. */
async function clientErrors(server: TestServer, canary: Canary, say: Say): Promise<void> {
  const env = { HOME: '/nonexistent' }
  const { address } = server
  const tell = (name: string, error: unknown) => {
    const { stack = '' } = Object(error) as { stack?: string }
    say(
      name,
      [inspect(error, { depth: 9 }), JSON.stringify(error), String(error), stack].join('\n'),
    )
  }
  await connect({ address, auth: token(canary()), env }).catch((error) => tell('connect', error))
  await using client = await connect({ address, auth: token(server.rootToken), env })
  const calls: [string, () => Promise<unknown>][] = [
    ['write', () => client.write('sys/policies/acl/x', { policy: `path "${canary()}` })],
    ['write', () => client.write('kv2/data/x', { data: canary() })],
    ['write', () => client.write('auth/approle/login', { role_id: canary(), secret_id: canary() })],
    ['unwrap', () => client.unwrap(canary())],
    [
      'write',
      () => client.write('sys/mounts/x', { type: 'kv', config: { max_lease_ttl: canary() } }),
    ],
  ]
  for (const [name, call] of calls) {
    await call().then(
      () => {},
      (error: unknown) => tell(`an error of client.${name}`, error),
    )
  }
}
