import { deepEqual, equal, ok } from 'node:assert/strict'
import { test } from 'node:test'
import { defineEngine, endpoint, lease } from '../../kit/kit.ts'
import { ENGINES } from '../../server/builtin.ts'
import { testCore, type TestCore } from '../../../test/support/test-core.ts'

const lending = defineEngine({
  type: 'lending',
  help: 'Lends.',
  leases: { thing: { revoke: async () => {} } },
  endpoints: [
    endpoint('thing', {
      help: 'A thing.',
      fields: {},
      read: () => lease({ a: 1 }, { kind: 'thing', secret: {} }),
    }),
  ],
})

async function filled(): Promise<TestCore> {
  const made = await testCore({ engines: [...ENGINES, lending] })
  await made.ask('write', 'sys/mounts/lending', { type: 'lending' })
  for (const key of ['a', 'b', 'c'])
    await made.ask('write', `secret/data/${key}`, { data: { key } })
  await made.ask('write', 'secret/data/a', { data: { key: 'a2' } })
  await made.ask('write', 'kv1/x', { ttl: '1m' })
  return made
}

async function tokenWith({ ask }: TestCore, rules: string, more = {}): Promise<string> {
  const policy = `path "sys/coffer/read" { capabilities = ["update"] }\n${rules}`
  equal((await ask('write', 'sys/policies/acl/p', { policy })).status, 204)
  const data = { policies: ['p'], no_default_policy: true, ...more }
  const { body } = await ask('write', 'auth/token/create', data)
  return (body['auth'] as { client_token: string }).client_token
}

type Result = { path: string; status: number; data?: unknown; errors?: string[] }
const resultsOf = ({ body }: { body: { data?: Record<string, unknown> } }) =>
  body.data?.['results'] as Result[]

test('a batch is refused as a whole when it is none', async () => {
  const { ask } = await filled()
  const many = Array.from({ length: 101 }, (_, i) => `secret/data/${i}`)
  for (const data of [{}, { paths: [] }, { paths: many }, { paths: ['kv1/x', 'kv1/x'] }]) {
    equal((await ask('write', 'sys/coffer/read', data)).status, 400)
  }
  equal((await ask('write', 'sys/coffer/read', { paths: ['kv1/x'] }, { token: 'x' })).status, 403)
})

test('a batch answers each path as a read of its own would be', async () => {
  const made = await filled()
  await made.ask('delete', 'secret/data/c')
  const token = await tokenWith(
    made,
    `path "secret/data/*" { capabilities = ["read"] }
     path "secret/data/b" { capabilities = ["deny"] }
     path "kv1/*" { capabilities = ["read"] }
     path "sys/mounts" { capabilities = ["read"] }
     path "sys/audit" { capabilities = ["read"] }
     path "sys/init" { capabilities = ["deny"] }
     path "nothing/*" { capabilities = ["read"] }`,
  )
  const paths = [
    ...['secret/data/a', 'secret/data/b', 'secret/data/c', 'secret/data/none', 'kv1/x', 'kv1/none'],
    ...['sys/mounts', 'sys/audit', 'sys/seal-status', 'nothing/here', 'secret/config'],
  ]
  const reply = await made.ask('write', 'sys/coffer/read', { paths }, { token })
  equal(reply.status, 200)
  for (const { path, status, data, errors } of resultsOf(reply)) {
    const alone = await made.ask('read', path, {}, { token })
    equal(status, alone.status, path)
    const bare = path === 'sys/seal-status'
    deepEqual(data ?? null, (bare ? alone.body : alone.body?.data) ?? null, path)
    deepEqual(
      (errors ?? []).map((text) => text.trim()),
      (alone.body?.errors ?? []).map((text) =>
        text.replace(/^1 error occurred:\n\t\* /, '').trim(),
      ),
    )
  }
  const older = { paths: ['secret/data/a'], parameters: { 'secret/data/a': { version: 1 } } }
  const [first] = resultsOf(await made.ask('write', 'sys/coffer/read', older))
  deepEqual((first!.data as { data: unknown }).data, { key: 'a' })
  const odd = ['secret/../kv1/x', 'secret/data//a', '', 'sys/coffer/read', 'auth/approle/login']
  for (const path of odd.filter((each) => each !== '')) {
    const [one] = resultsOf(
      await made.ask('write', 'sys/coffer/read', { paths: [path] }, { token }),
    )
    ok(one!.status >= 400, path)
  }
})

test('a batch makes no leases and reads nothing that would', async () => {
  const { ask, core } = await filled()
  const [one, two] = resultsOf(
    await ask('write', 'sys/coffer/read', { paths: ['lending/thing', 'kv1/x'] }),
  )
  equal(one?.status, 400)
  ok(one.errors?.[0]?.includes('lease'))
  equal(two?.status, 200)
  const tx = (await core.begin(false))!
  deepEqual(await tx.list('lease/'), [])
})

test('a token with few uses pays one for each path', async () => {
  const made = await filled()
  const rules = 'path "*" { capabilities = ["read", "update"] }'
  const paths = ['secret/data/a', 'secret/data/b', 'secret/data/c']
  const read = (token: string) => made.ask('write', 'sys/coffer/read', { paths }, { token })
  const two = await tokenWith(made, rules, { num_uses: 2 })
  equal((await read(two)).status, 400)
  const exact = await tokenWith(made, rules, { num_uses: 3 })
  equal((await read(exact)).status, 200)
  equal((await made.ask('read', 'kv1/x', {}, { token: exact })).status, 403)
  const more = await tokenWith(made, rules, { num_uses: 4 })
  equal((await read(more)).status, 200)
  equal((await made.ask('read', 'kv1/x', {}, { token: more })).status, 200)
  equal((await made.ask('read', 'kv1/x', {}, { token: more })).status, 403)
})

test('each path of a batch stands in the audit log, refused ones too', async () => {
  const made = await filled()
  const token = await tokenWith(made, 'path "secret/data/a" { capabilities = ["read"] }')
  const lines: string[] = []
  const { audit } = made.core
  Object.assign(audit, {
    async record(format: Parameters<typeof audit.record>[0]) {
      const hasher = { hash: () => 'h', text: () => '{}' }
      lines.push(`${format({ hasher, hashAccessor: true, headers: { headers: {} } } as never)}}`)
    },
  })
  const paths = ['secret/data/a', 'secret/data/b']
  await made.ask('write', 'sys/coffer/read', { paths }, { token })
  const told = lines.map((line) => {
    const { type, error, request, auth } = JSON.parse(line) as {
      type: string
      error?: string
      request: { operation: string; path: string }
      auth: { policy_results: { allowed: boolean } }
    }
    const { allowed } = auth.policy_results
    return [type, request.operation, request.path, allowed, error]
  })
  deepEqual(told, [
    ['request', 'update', 'sys/coffer/read', true, undefined],
    ['request', 'read', 'secret/data/a', true, undefined],
    ['response', 'read', 'secret/data/a', true, undefined],
    ['request', 'read', 'secret/data/b', false, 'permission denied'],
    ['response', 'read', 'secret/data/b', false, 'permission denied'],
    ['response', 'update', 'sys/coffer/read', true, undefined],
  ])
})
