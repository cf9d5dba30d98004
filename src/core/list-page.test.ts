/** Pages, limits and hidden names of lists, through the whole pipeline. */
import { deepEqual, equal } from 'node:assert/strict'
import { test } from 'node:test'
import { testCore, type TestCore } from '../../test/support/test-core.ts'

const KEYS = ['a', 'a/x', 'a/y/z', 'b', 'c/d', 'secret/x']

async function filled(): Promise<TestCore> {
  const made = await testCore()
  for (const key of KEYS) {
    await made.ask('write', `secret/data/${key}`, { data: { n: 1 } })
    await made.ask('write', `kv1/${key}`, { n: 1 })
  }
  return made
}

async function tokenWith({ ask }: TestCore, policy: string): Promise<string> {
  const name = `p${Math.floor(Math.random() * 1e9)}`
  equal((await ask('write', `sys/policies/acl/${name}`, { policy })).status, 204)
  const { body } = await ask('write', 'auth/token/create', { policies: [name] })
  return (body['auth'] as { client_token: string }).client_token
}

const keysOf = ({ body }: { body: { data?: Record<string, unknown> } }) => body?.data?.['keys']

test('a scan needs the capability scan, and list is not scan', async () => {
  const made = await filled()
  const token = await tokenWith(made, 'path "secret/metadata/*" { capabilities = ["list"] }')
  const scanner = await tokenWith(made, 'path "secret/metadata/*" { capabilities = ["scan"] }')
  for (const path of ['secret/metadata', 'secret/metadata/']) {
    equal((await made.ask('scan', path, {}, { token })).status, 403)
    equal((await made.ask('list', path, {}, { token: scanner })).status, 403)
    deepEqual(keysOf(await made.ask('scan', path, {}, { token: scanner })), KEYS)
  }
  equal((await made.ask('scan', 'secret/data')).status, 405)
  equal((await made.ask('scan', 'sys/mounts')).status, 405)
})

test('a scan gives every path below, whole or page by page, and 404 where there is none', async () => {
  const made = await filled()
  const { ask } = made
  for (const root of ['secret/metadata', 'kv1']) {
    equal((await ask('scan', `${root}/none`)).status, 404)
    deepEqual(keysOf(await ask('scan', root)), KEYS)
    deepEqual(keysOf(await ask('scan', `${root}/a`)), ['x', 'y/z'])
    for (let size = 1; size < KEYS.length; size++) {
      const found: string[] = []
      for (let after = ''; ;) {
        const page = keysOf(await ask('scan', root, { after, limit: `${size}` })) as string[]
        if (!page) break
        found.push(...page)
        after = page.at(-1)!
      }
      deepEqual(found, KEYS, `${root} by ${size}`)
    }
  }
  await ask('write', 'cubbyhole/a/b', { n: 1 })
  deepEqual(keysOf(await ask('scan', 'cubbyhole')), ['a/b'])
})

test('a scan hides what lies in folders the caller is denied', async () => {
  const made = await filled()
  const token = await tokenWith(
    made,
    `path "secret/metadata/*" { capabilities = ["scan", "list"] }
     path "secret/metadata/a/*" { capabilities = ["deny"] }
     path "secret/metadata/SECRET/" { capabilities = ["deny"] }`,
  )
  const scan = (data: object) => made.ask('scan', 'secret/metadata', { ...data }, { token })
  deepEqual(keysOf(await scan({})), ['a', 'b', 'c/d'])
  deepEqual(keysOf(await scan({ limit: '2' })), ['a', 'b'])
  deepEqual(keysOf(await scan({ after: 'b', limit: '1' })), ['c/d'])
  equal((await made.ask('scan', 'secret/metadata/a', {}, { token })).status, 403)
})

// Parameter limits that a default or an odd number went around.
test('pagination_limit holds for every limit that is sent, and for none', async () => {
  const made = await filled()
  const token = await tokenWith(
    made,
    `path "secret/metadata/*" { capabilities = ["list", "scan"] pagination_limit = 2 }
     path "sys/policies/acl" { capabilities = ["list"] pagination_limit = 2 }`,
  )
  const bad = ['0', '-1', `${2 ** 31}`, '1e9', '3', '', null, ['1'], ['1', '9'], [], 0, -1, 1.5, {}]
  for (const verb of ['list', 'scan'] as const) {
    for (const limit of bad) {
      const { status } = await made.ask(verb, 'secret/metadata', { limit }, { token })
      equal(status, 403, JSON.stringify(limit))
    }
    for (const data of [{}, { limit: 'max' }, { limit: '2' }, { limit: 2 }]) {
      const reply = await made.ask(verb, 'secret/metadata', data, { token })
      equal((keysOf(reply) as string[]).length, 2)
    }
    deepEqual(keysOf(await made.ask(verb, 'secret/metadata', { limit: '1' }, { token })), ['a'])
  }
  equal((keysOf(await made.ask('list', 'sys/policies/acl', {}, { token })) as string[]).length, 2)
})

test('after and limit work on every list, whoever answers it', async () => {
  const { ask } = await filled()
  for (const name of ['m', 'n', 'z']) {
    await ask('write', `sys/policies/acl/${name}`, { policy: 'path "x" {}' })
    await ask('write', `auth/approle/role/${name}`, {})
  }
  const policies = ['default', 'm', 'n', 'z', 'root']
  deepEqual(keysOf(await ask('list', 'sys/policies/acl')), policies)
  deepEqual(keysOf(await ask('list', 'sys/policies/acl', { after: 'z' })), ['root'])
  deepEqual(keysOf(await ask('list', 'sys/policies/acl', { after: 'm', limit: '2' })), ['n', 'z'])
  const both = (await ask('list', 'sys/policy', { limit: 1 })).body
  deepEqual([both.data?.['keys'], both.data?.['policies']], [['default'], ['default']])
  deepEqual(keysOf(await ask('list', 'auth/approle/role', { after: 'm', limit: '1' })), ['n'])
  deepEqual(keysOf(await ask('list', 'kv1', { limit: '2' })), ['a', 'a/'])
  const one = await ask('list', 'auth/approle/role', { limit: '1' })
  equal(one.body['warnings'], null)
  for (const limit of ['x', '1.5', ['1'], {}]) {
    equal((await ask('list', 'kv1', { limit })).status, 400, JSON.stringify(limit))
  }
  equal((await ask('list', 'kv1', { after: ['a'] })).status, 400)
  for (const limit of ['0', '-1', 'max', null]) {
    equal((keysOf(await ask('list', 'kv1', { limit })) as string[]).length, 5)
  }
})

test('a keys filter shows only names the caller may read or list, on full pages', async () => {
  const made = await filled()
  const filter = String.raw`{{ .path | replace \"/metadata/\" \"/data/\" }}{{ .key }}`
  const token = await tokenWith(
    made,
    `path "secret/metadata/*" {
       capabilities = ["list", "scan"]
       list_scan_response_keys_filter_path = "${filter}"
     }
     path "secret/data/b" { capabilities = ["read"] }
     path "secret/data/c/*" { capabilities = ["read", "list"] }
     path "secret/data/secret/*" { capabilities = ["list"] }`,
  )
  const ask = (verb: 'list' | 'scan', data = {}) =>
    made.ask(verb, 'secret/metadata', data, { token })
  deepEqual(keysOf(await ask('list')), ['b', 'c/', 'secret/'])
  deepEqual(keysOf(await ask('list', { limit: '1' })), ['b'])
  deepEqual(keysOf(await ask('list', { after: 'b', limit: '1' })), ['c/'])
  deepEqual(keysOf(await ask('scan')), ['b', 'c/d'])
  deepEqual(keysOf(await ask('scan', { limit: '1', after: 'b' })), ['c/d'])
  equal((await ask('scan', { after: 'c/d' })).status, 404)
  const detailed = await tokenWith(
    made,
    `path "secret/detailed-metadata/*" {
       capabilities = ["list"]
       list_scan_response_keys_filter_path = "secret/data/{{ .key }}"
     }
     path "secret/data/b" { capabilities = ["read"] }`,
  )
  const { body } = await made.ask('list', 'secret/detailed-metadata', {}, { token: detailed })
  deepEqual(body.data?.['keys'], ['b'])
  deepEqual(Object.keys(body.data?.['key_info'] as object), ['b'])
})

test('a scan comes to its end while others write', async () => {
  const made = await filled()
  const { store } = made.core
  const list = store.list.bind(store)
  let writes = 0
  // As if somebody wrote between any two folders it looks into.
  Object.assign(store, {
    async list(...asked: Parameters<typeof list>) {
      const found = await list(...asked)
      await made.ask('write', 'secret/data/busy', { data: { writes: writes++ } })
      return found
    },
  })
  const reply = await made.ask('scan', 'secret/metadata')
  equal(reply.status, 200)
  equal(writes < 30, true)
})
