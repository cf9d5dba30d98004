import { deepEqual, equal, ok } from 'node:assert/strict'
import { createHash } from 'node:crypto'
import { test } from 'node:test'
import { rotationHouse } from '../../../test/support/rotation-house.ts'
import { testCore, type TestCore } from '../../../test/support/test-core.ts'
import { defineEngine, endpoint, lease } from '../../kit/kit.ts'
import { ENGINES } from '../../server/builtin.ts'
import { ed25519Verifier } from '../../crypto/ed25519.ts'
import { formsOf } from '../../rules/encodings.ts'
import { type FingerprintIndex, openIndex } from '../../rules/fingerprints.ts'
import { type SignedIndex } from '../fingerprints.ts'

const value = (seed: string) => createHash('sha256').update(seed).digest('base64').slice(0, 28)

async function filled(): Promise<TestCore> {
  const made = await testCore()
  const put = async (key: string, ...seeds: string[]) => {
    for (const seed of seeds) {
      const data = { user: 'shop', password: value(seed) }
      await made.ask('write', `secret/data/${key}`, { data })
    }
  }
  await put('app/db', 'db1', 'db2', 'db3')
  await put('app/web', 'web')
  await put('other', 'other')
  await made.ask('write', 'secret/delete/app/db', { versions: [2] })
  await made.ask('write', 'kv1/old', { list: [{ key: value('in a list') }] })
  return made
}

async function indexOf({ ask }: TestCore, path: string, token?: string): Promise<SignedIndex> {
  const answer = await ask(
    'write',
    'sys/coffer/fingerprints',
    { path },
    ...(token ? [{ token }] : []),
  )
  equal(answer.status, 200, JSON.stringify(answer.body))
  return answer.body.data as unknown as SignedIndex
}

const opened = ({ index }: SignedIndex) => openIndex(JSON.parse(index) as FingerprintIndex)
const findIn = (signed: SignedIndex, seed: string) =>
  opened(signed).find(Buffer.from(`x ${value(seed)} y`))[0]?.ref

test('fingerprints recognise every version, and tell which one is live', async () => {
  const signed = await indexOf(await filled(), '')
  const at = { path: 'secret/app/db', field: 'password' }
  deepEqual(findIn(signed, 'db1'), { ...at, version: 1, live: false })
  deepEqual(findIn(signed, 'db2'), { ...at, version: 2, live: false })
  deepEqual(findIn(signed, 'db3'), { ...at, version: 3, live: true })
  deepEqual(findIn(signed, 'in a list'), {
    path: 'kv1/old',
    field: 'list/0/key',
    version: 1,
    live: true,
  })
  equal(findIn(signed, 'nothing'), undefined)
  // The user names are no secrets.
  equal(signed.left_out, 5)
})

test('fingerprints are of what the caller may read, and of nothing else', async () => {
  const made = await filled()
  const policy = `path "sys/coffer/fingerprints" { capabilities = ["update"] }
    path "secret/metadata/*" { capabilities = ["list"] }
    path "secret/data/app/web" { capabilities = ["read"] }
    path "secret/metadata/app/db" { capabilities = ["read"] }`
  await made.ask('write', 'sys/policies/acl/p', { policy })
  const { body } = await made.ask('write', 'auth/token/create', { policies: ['p'] })
  const token = (body['auth'] as { client_token: string }).client_token
  const signed = await indexOf(made, 'secret/', token)
  ok(findIn(signed, 'web'))
  for (const seed of ['db1', 'db3', 'other', 'in a list'])
    equal(findIn(signed, seed), undefined, seed)
  equal(signed.secrets, 1)
  ok(!signed.index.includes('app/db') && !signed.index.includes('other'))
})

test('fingerprints hold no value in any form, and are signed', async () => {
  const signed = await indexOf(await filled(), 'secret')
  const raw = Buffer.from((JSON.parse(signed.index) as FingerprintIndex).entries, 'base64')
  for (const seed of ['db1', 'db2', 'db3', 'web', 'other']) {
    for (const form of formsOf(value(seed))) {
      ok(
        !signed.index.includes(form.toString('latin1')) && !raw.includes(form.subarray(0, 6)),
        seed,
      )
    }
  }
  const verify = ed25519Verifier(Buffer.from(signed.public_key, 'base64'))
  const signature = Buffer.from(signed.signature, 'base64')
  ok(verify(signed.index, signature))
  ok(!verify(signed.index.replace('secret/other', 'secret/0ther'), signature))
})

test('each secret that goes into the fingerprints has its entry in the audit log', async () => {
  const made = await filled()
  const { audit } = made.core
  const record = audit.record.bind(audit)
  const paths: unknown[] = []
  Object.assign(audit, {
    record(format: Parameters<typeof record>[0]) {
      const hasher = { hash: () => 'h', text: () => '{}' }
      const device = { hasher, hashAccessor: true, headers: { headers: {} } }
      const line = JSON.parse(`${format(device as never)}}`) as { request: { path: string } }
      paths.push(line.request.path)
      return record(format)
    },
  })
  await indexOf(made, 'secret/app')
  for (const path of ['secret/data/app/db', 'secret/data/app/web'])
    ok(paths.includes(path), String(paths))
  ok(!paths.includes('secret/data/other'))
})

test('fingerprints know what a rotation serves, and what it has served', async () => {
  const house = await rotationHouse()
  await house.declare('app')
  const first = await house.served('app')
  await house.pass(3_000)
  equal(
    (await house.ask('write', 'sys/coffer/rotate/now/fake/static-creds/app', { wait: 'none' }))
      .status,
    200,
  )
  await house.pass(60)
  const second = await house.served('app')
  ok(first.password !== second.password)
  for (const path of ['', 'fake', 'fake/static-creds/app']) {
    const signed = await indexOf(house, path)
    const known = (password: string) => opened(signed).find(Buffer.from(`p=${password};`))[0]?.ref
    const at = { path: 'fake/static-creds/app', field: 'password' }
    deepEqual(known(first.password), { ...at, version: 1, live: false }, path)
    deepEqual(known(second.password), { ...at, version: 2, live: true }, path)
  }
})

/** Gives out a word with a lease, as a database does a password. */
const lender = defineEngine({
  type: 'lender',
  help: 'Lends words.',
  leases: { word: { revoke: async () => {} } },
  endpoints: [
    endpoint('creds/app', {
      help: 'A word.',
      fields: {},
      read: ({ now }) => {
        const password = value(`lent ${now}`)
        const grant = { kind: 'word', secret: {}, values: { password }, ttlSeconds: 60 }
        return lease({ username: value('user'), password }, grant)
      },
    }),
  ],
})

test('fingerprints know what was issued with a lease, until a week after it has ended', async () => {
  const made = await testCore({ engines: [...ENGINES, lender] })
  made.core.expiry.stop()
  made.core.rotation.stop()
  await made.ask('write', 'sys/mounts/lent', { type: 'lender' })
  const issue = async () => {
    const { body } = await made.ask('read', 'lent/creds/app')
    return { ...(body.data as { password: string }), id: body['lease_id'] as string }
  }
  const known = async (password: string, path = '', token?: string) =>
    opened(await indexOf(made, path, token)).find(Buffer.from(`p=${password};`))[0]?.ref
  const first = await issue()
  made.clock.advance(30_000)
  const second = await issue()
  const at = { path: 'lent/creds/app', field: 'password', version: 0 }
  for (const path of ['', 'lent', 'lent/creds/app'])
    deepEqual(await known(first.password, path), { ...at, live: true, lease: first.id }, path)
  equal(await known(first.password, 'secret'), undefined)
  equal(await known(value('user')), undefined, 'a name is no secret')

  const about = async (lease: string) =>
    (await made.ask('write', 'sys/coffer/whereabouts', { path: at.path, lease })).body.data!['live']
  equal(await about(first.id), true)

  // Whoever may ask for one of their own knows it again, and learns nothing of the lease.
  const policy = 'path "sys/coffer/fingerprints" { capabilities = ["update"] }'
  for (const [more, ref] of [
    ['', undefined],
    ['path "lent/creds/*" { capabilities = ["read"] }', { ...at, live: true }],
    [
      `path "lent/creds/*" { capabilities = ["read"] }
       path "sys/leases/lookup/*" { capabilities = ["list", "sudo"] }`,
      { ...at, live: true, lease: second.id },
    ],
  ] as const) {
    await made.ask('write', 'sys/policies/acl/p', { policy: `${policy} ${more}` })
    const { body } = await made.ask('write', 'auth/token/create', { policies: ['p'] })
    const token = (body['auth'] as { client_token: string }).client_token
    deepEqual(await known(second.password, '', token), ref, more)
  }

  // One ends by its time, the other by hand; neither is forgotten, and both are in the end.
  made.clock.advance(31_000)
  await made.core.expiry.pass()
  await made.ask('write', 'sys/leases/revoke', { lease_id: second.id })
  for (const { password, id } of [first, second])
    deepEqual(await known(password), { ...at, live: false, lease: id })
  equal(await about(first.id), false)
  const shown = await made.ask('write', 'sys/leases/lookup', { lease_id: (await issue()).id })
  ok(!shown.text.includes(value(`lent ${made.clock.now()}`)), 'no endpoint shows it')
  made.clock.advance(7 * 24 * 3_600_000)
  await made.core.expiry.pass()
  equal(await known(first.password), undefined)
  const tx = (await made.core.begin(false))!
  const [mount] = await tx.list('issued/')
  equal((await tx.list(`issued/${mount}`)).length, 1, 'the one that was issued last')
})
