/** Our own client against the real server: what an app meets from its login to the next restart. */
import { deepEqual, equal, match, ok, rejects } from 'node:assert/strict'
import { writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { after, before, suite, test } from 'node:test'
import {
  appRole,
  type Client,
  ConfigError,
  ConflictError,
  connect,
  DeniedError,
  InvalidRequestError,
  loadConfig,
  MissingError,
  NetworkError,
  reveal,
  SealedError,
  Secret,
  token,
  UnavailableError,
} from 'coffer/client'
import { type Api, http, startServer, type TestServer } from '../support/server.ts'

const POLICY = `
path "apps/data/shop/*" { capabilities = ["create", "read", "update", "patch", "delete"] }
path "apps/metadata/shop/*" { capabilities = ["read", "list"] }
path "apps/undelete/shop/*" { capabilities = ["update"] }
path "old/shop/*" { capabilities = ["read"] }
path "team/a/kv/data/*" { capabilities = ["read"] }`

type Ids = { roleId: string; secretId: string }

/** Mounts, a policy and the role `shop`, whose tokens live for the given time. */
async function prepare(api: Api, settings: Record<string, string> = {}): Promise<Ids> {
  const mount = (path: string, version: string) =>
    api.write(`sys/mounts/${path}`, { type: 'kv', options: { version } })
  const done = await Promise.all([
    mount('apps', '2'),
    mount('old', '1'),
    mount('team/a/kv', '2'),
    api.write('sys/auth/approle', { type: 'approle' }),
    api.write('sys/policies/acl/shop', { policy: POLICY }),
  ])
  deepEqual(new Set(done.map(({ status }) => status)), new Set([204]))
  const role = { token_policies: 'shop', token_ttl: '10m', ...settings }
  equal((await api.write('auth/approle/role/shop', role)).status, 204)
  const roleId = (await api.read('auth/approle/role/shop/role-id')).at('data.role_id')
  return { roleId: String(roleId), secretId: await newSecretId(api) }
}

async function newSecretId(api: Api): Promise<string> {
  return String((await api.write('auth/approle/role/shop/secret-id')).at('data.secret_id'))
}

async function until(isTrue: () => boolean, ms = 5000): Promise<number> {
  const begin = performance.now()
  while (!isTrue()) {
    if (performance.now() - begin > ms) throw new Error(`did not come true within ${ms} ms`)
    await new Promise((done) => setTimeout(done, 5))
  }
  return performance.now() - begin
}

suite('the client and one server', () => {
  let server: TestServer
  let api: Api
  let ids: Ids
  const open = (more: Partial<Ids> = {}) =>
    connect({ address: server.address, auth: appRole({ ...ids, ...more }), env: {} })

  before(async () => {
    server = await startServer({ kind: 'config', audit: true })
    api = http(server.address, { token: server.rootToken })
    ids = await prepare(api)
    await api.write('apps/data/shop/db', { data: { password: 'p@ss/word #1', user: 'app' } })
    await api.write('apps/data/other/db', { data: { password: 'not for the shop' } })
    await api.write('old/shop/legacy', { key: 'v1 value', ttl: '1h' })
    await api.write('team/a/kv/data/deep', { data: { outer: { inner: ['x', 'y'] }, port: 5432 } })
  })
  after(() => server[Symbol.asyncDispose]())

  test('connect() refuses a wrong secret id, and an address where nobody is', async () => {
    await rejects(open({ secretId: 'wrong' }), (error) => {
      ok(error instanceof DeniedError)
      match(error.message, /auth\/approle\/login: 400 invalid role or secret ID/)
      return true
    })
    const nobody = { address: 'http://127.0.0.1:1', auth: token('x'), env: {}, tries: 1 }
    await rejects(connect(nobody), NetworkError)
    await rejects(connect({ ...nobody, address: server.address }), DeniedError)
  })

  test('every failure of a call has its own class', async () => {
    await using client = await open()
    const kv = client.kv('apps')
    await rejects(kv.read('other/db'), DeniedError)
    await rejects(kv.read('shop/none'), MissingError)
    await rejects(kv.read('shop/db', { version: 99 }), MissingError)
    await rejects(kv.write('shop/db', { a: '1' }, { cas: 0 }), ConflictError)
    await rejects(kv.write('other/db', { a: '1' }), DeniedError)
    await rejects(client.kv('old').metadata('shop/legacy'), InvalidRequestError)
    await rejects(client.read('sys/mounts'), DeniedError)
  })

  test('kv() writes, reads, patches, deletes and lists, with numbers to the digit', async () => {
    await using client = await open()
    const kv = client.kv('apps')
    equal((await kv.write('shop/a/b', { id: 9007199254740993n, user: 'app' })).version, 1)
    deepEqual((await kv.read('shop/a/b')).data, { id: 9007199254740993n, user: 'app' })
    equal((await kv.patch('shop/a/b', { user: null, more: [1.5] }, { cas: 1 })).version, 2)
    deepEqual((await kv.read('shop/a/b')).data, { id: 9007199254740993n, more: [1.5] })
    deepEqual((await kv.read('shop/a/b', { version: 1 })).data['user'], 'app')
    deepEqual(await kv.list('shop/a'), ['b'])
    deepEqual(await kv.list('shop/none'), [])
    await kv.delete('shop/a/b')
    await rejects(kv.read('shop/a/b'), MissingError)
    await kv.undelete('shop/a/b', [2])
    equal((await kv.metadata('shop/a/b')).currentVersion, 2)
    deepEqual((await client.kv('old').read('shop/legacy')).data['key'], 'v1 value')
  })

  test('loadConfig() tells of every reference that fails, and of no value', async () => {
    const config = {
      good: 'vault://apps/shop/db#password',
      denied: 'vault://apps/other/db#password',
      list: ['vault://apps/shop/none#x', 'vault://apps/shop/db#nofield'],
    }
    await using client = await open()
    await rejects(loadConfig(config, { client }), (error) => {
      ok(error instanceof ConfigError)
      deepEqual(
        error.problems.map(({ at }) => at),
        ['denied', 'list[0]', 'list[1]'],
      )
      ok(!error.message.includes('p@ss'))
      return true
    })
  })

  test('loadConfig() logs in from the environment and resolves every kind of reference', async () => {
    const file = join(server.dir, 'secret-id')
    writeFileSync(file, `${ids.secretId}\n`)
    const env = {
      VAULT_ADDR: server.address,
      VAULT_ROLE_ID: ids.roleId,
      VAULT_SECRET_ID_FILE: file,
    }
    await api.write('apps/data/shop/turned', { data: { key: 'first' } })
    await api.write('apps/data/shop/turned', { data: { key: 'second' } })
    const config = await loadConfig(
      {
        port: 8080,
        plain: 'vaulted',
        password: 'vault://apps/shop/db#password',
        url: 'postgres://app:${vault://apps/shop/db#password}@db/shop',
        inner: 'vault://team/a/kv/deep#/outer/inner/1',
        number: 'vault://team/a/kv/deep#port',
        legacy: 'ref+vault://old/shop/legacy#/key',
        before: 'vault://apps/shop/turned?version=1#key',
        now: 'vault://apps/shop/turned#key',
      },
      { env },
    )
    ok(config.password instanceof Secret)
    equal(JSON.stringify(config).includes('p@ss'), false)
    deepEqual(reveal(config), {
      port: 8080,
      plain: 'vaulted',
      password: 'p@ss/word #1',
      url: 'postgres://app:p%40ss%2Fword%20%231@db/shop',
      inner: 'y',
      number: '5432',
      legacy: 'v1 value',
      before: 'first',
      now: 'second',
    })
  })

  test('follow() has a new version within two seconds, and each once', async () => {
    await using client = await open()
    const got: [string, number | undefined][] = []
    await client.kv('apps').write('shop/followed', { key: 'one' })
    const following = client.follow('vault://apps/shop/followed#key', (secret, { version }) => {
      got.push([secret.reveal(), version])
    })
    await following.ready
    await client.kv('apps').write('shop/followed', { key: 'two' })
    ok((await until(() => got.length > 1)) < 2000)
    await new Promise((done) => setTimeout(done, 1200))
    deepEqual(got, [
      ['one', 1],
      ['two', 2],
    ])
    following.stop()
  })

  test('a wrapped secret id logs in once opened, and not when someone else opened it', async () => {
    const wrap = async (path: string) => {
      const headers = { 'x-vault-wrap-ttl': '60s' }
      return String((await api.write(path, {}, { headers })).at('wrap_info.token'))
    }
    const auth = (wrappedSecretId: string) => appRole({ roleId: ids.roleId, wrappedSecretId })
    const address = server.address
    const own = await wrap('auth/approle/role/shop/secret-id')
    await using client = await connect({ address, auth: auth(own), env: {} })
    equal((await client.kv('apps').read('shop/db')).data['user'], 'app')
    await rejects(connect({ address, auth: auth(own), env: {} }), /someone else opened it/)
    const stolen = await wrap('auth/approle/role/shop/secret-id')
    equal((await api.write('sys/wrapping/unwrap', { token: stolen })).status, 200)
    await rejects(connect({ address, auth: auth(stolen), env: {} }), DeniedError)
    const planted = await wrap('sys/wrapping/wrap')
    await rejects(connect({ address, auth: auth(planted), env: {} }), /was made by another path/)
  })

  test('close() with revoke ends the token on the server', async () => {
    const client = await open()
    const used = client.token.reveal()
    equal((await api.write('auth/token/lookup', { token: used })).status, 200)
    await client.close({ revoke: true })
    equal((await api.write('auth/token/lookup', { token: used })).status, 403)
  })

  test('a token that was revoked is replaced by a new login', async () => {
    await using client = await open()
    const first = client.token.reveal()
    await api.write('auth/token/revoke', { token: first })
    equal((await client.kv('apps').read('shop/db')).data['user'], 'app')
    ok(client.token.reveal() !== first)
  })

  test('a sealed server says so, and the same client goes on when it is open again', async () => {
    await using client = await connect({
      address: server.address,
      auth: appRole(ids),
      env: {},
      tries: 1,
    })
    equal((await api.write('sys/seal')).status, 204)
    await rejects(client.kv('apps').read('shop/db'), SealedError)
    await server.unseal()
    equal((await client.kv('apps').read('shop/db')).data['user'], 'app')
  })
})

test('a token is renewed while it may be, and replaced when it may live no longer', async () => {
  await using server = await startServer({ kind: 'config' })
  const api = http(server.address, { token: server.rootToken })
  const ids = await prepare(api, { token_ttl: '2s', token_max_ttl: '4s' })
  await api.write('apps/data/shop/db', { data: { user: 'app' } })
  await using client = await connect({ address: server.address, auth: appRole(ids), env: {} })
  const first = client.token.reveal()
  const held = new Map<string, number>()
  const begin = performance.now()
  while (performance.now() - begin < 5500) {
    equal((await client.kv('apps').read('shop/db')).data['user'], 'app')
    held.set(client.token.reveal(), performance.now() - begin)
    await new Promise((done) => setTimeout(done, 100))
  }
  ok(held.get(first)! > 2100, 'it outlived its first two seconds')
  ok(held.get(first)! < 5000, 'and not its longest life')
  ok(held.size >= 2 && held.size <= 4)
})

for (const signal of ['SIGTERM', 'SIGKILL'] as const) {
  test(`a restart by ${signal} under load loses nothing, and the client comes back`, async () => {
    await using server = await startServer({ kind: 'config', audit: true })
    const api = http(server.address, { token: server.rootToken })
    const ids = await prepare(api)
    const options = { address: server.address, auth: appRole(ids), env: {} }
    await using client = await connect(options)
    const load = startLoad(client)
    const seen: string[] = []
    const following = client.follow(
      'vault://apps/shop/load-0#n',
      (secret) => void seen.push(secret.reveal()),
      { intervalMs: 100, onError: () => {} },
    )
    await until(() => load.acknowledged() > 50)
    await server.kill(signal)
    await server.restart()
    const before = load.acknowledged()
    await until(() => load.acknowledged() > before + 50, 15_000)
    const { failures, last } = await load.stop()
    // Only of the kinds that say: try again.
    for (const failure of failures) {
      const passing = [NetworkError, SealedError, UnavailableError]
      ok(passing.some((kind) => failure instanceof kind) || isTimeout(failure), String(failure))
    }
    for (const [path, acknowledged] of last) {
      const { data } = await client.kv('apps').read(path)
      // One more may have been written without its answer having arrived.
      ok(Number(data['n']) >= acknowledged, `${path}: ${String(data['n'])} < ${acknowledged}`)
    }
    const final = String((await client.kv('apps').read('shop/load-0')).data['n'])
    await until(() => seen.at(-1) === final, 10_000)
    following.stop()
  })
}

const isTimeout = (error: unknown) => error instanceof Error && error.name === 'TimeoutError'

/** Four writers, each counting up its own secret, that go on whatever happens. */
function startLoad(client: Client) {
  const kv = client.kv('apps')
  const failures: unknown[] = []
  const last = new Map<string, number>()
  const state = { running: true, count: 0 }
  const writers = [0, 1, 2, 3].map(async (i) => {
    const path = `shop/load-${i}`
    for (let n = 1; state.running; n++) {
      try {
        await kv.write(path, { n })
        last.set(path, n)
        state.count++
        equal(Number((await kv.read(path)).data['n']), n)
      } catch (error) {
        failures.push(error)
        await new Promise((done) => setTimeout(done, 20))
      }
    }
  })
  return {
    acknowledged: () => state.count,
    async stop() {
      state.running = false
      await Promise.all(writers)
      return { failures, last }
    },
  }
}
