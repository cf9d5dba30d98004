import { deepEqual, equal } from 'node:assert/strict'
import { test } from 'node:test'
import { type AskOptions, testCore, type TestCore } from '../../../test/support/test-core.ts'
import { defineEngine, endpoint } from '../../kit/engine.ts'
import { lease } from '../../kit/reply.ts'

type Auth = Record<string, unknown> & { client_token: string; accessor: string }

async function make(
  { ask }: TestCore,
  data: Record<string, unknown> = {},
  options: AskOptions = {},
): Promise<Auth> {
  const asked = options.token ? data : { policies: ['grower'], ...data }
  return (await ask('write', 'auth/token/create', asked, options)).body['auth'] as Auth
}

/** A core with a policy that may make, revoke and orphan tokens, but has no sudo. */
async function forest() {
  const core = await testCore()
  const policy = 'path "auth/token/*" { capabilities = ["update"] }'
  await core.ask('write', 'sys/policies/acl/grower', { policy })
  const lives = async ({ client_token: token }: Auth) =>
    (await core.ask('read', 'auth/token/lookup-self', {}, { token })).status === 200
  return { ...core, lives }
}

const POSTS = ['revoke', 'revoke-orphan']

test('revoke refuses a request without a token', async () => {
  const { ask } = await forest()
  for (const path of POSTS) {
    const { status, body } = await ask('write', `auth/token/${path}`)
    equal(status, 400)
    deepEqual(body.errors, ['missing token ID'])
  }
  const { status, body } = await ask('write', 'auth/token/revoke-accessor')
  equal(status, 400)
  deepEqual(body.errors, ['1 error occurred:\n\t* missing accessor\n\n'])
})

test('revoke refuses batch tokens', async () => {
  const core = await forest()
  const { client_token: token } = await make(core, { type: 'batch' })
  for (const path of POSTS) {
    const { status, body } = await core.ask('write', `auth/token/${path}`, { token })
    equal(status, 400)
    deepEqual(body.errors, ['batch tokens cannot be revoked'])
  }
  equal((await core.ask('write', 'auth/token/revoke-self', {}, { token })).status, 400)
})

test('revoke-orphan refuses without sudo, and what is no token', async () => {
  const core = await forest()
  const [asking, other] = [await make(core), await make(core)]
  const { client_token: token } = other
  const no = await core.ask(
    'write',
    'auth/token/revoke-orphan',
    { token },
    {
      token: asking.client_token,
    },
  )
  equal(no.status, 400)
  deepEqual(no.body.errors, ['root or sudo privileges required to revoke and orphan'])
  equal(await core.lives(other), true)
  const unknown = await core.ask('write', 'auth/token/revoke-orphan', { token: 'hvs.x' })
  equal(unknown.status, 400)
  deepEqual(unknown.body.errors, ['token to revoke not found'])
})

test('revoke of an unknown token is done already', async () => {
  const { ask } = await forest()
  for (const token of ['x', 'hvs.x', 'hvb.x', '../x']) {
    equal((await ask('write', 'auth/token/revoke', { token })).status, 204)
  }
  for (const accessor of ['x', 'a'.repeat(24), '../x']) {
    const { status, body } = await ask('write', 'auth/token/revoke-accessor', { accessor })
    equal(status, 200)
    deepEqual(body['warnings'], ['No token found with this accessor'])
  }
})

test('revoke ends a token with all below it and nothing else', async () => {
  const core = await forest()
  const { ask, lives } = core
  const ways: [string, (auth: Auth) => Promise<unknown>][] = [
    ['revoke', (auth) => ask('write', 'auth/token/revoke', { token: auth.client_token })],
    [
      'revoke-self',
      (auth) => ask('write', 'auth/token/revoke-self', {}, { token: auth.client_token }),
    ],
    [
      'revoke-accessor',
      (auth) => ask('write', 'auth/token/revoke-accessor', { accessor: auth.accessor }),
    ],
  ]
  for (const [name, revoke] of ways) {
    const top = await make(core)
    const middle = await make(core, {}, { token: top.client_token })
    const low = await make(core, {}, { token: middle.client_token })
    const batch = await make(core, { type: 'batch' }, { token: middle.client_token })
    const beside = await make(core, {}, { token: top.client_token })
    await revoke(middle)
    const states = [top, beside, middle, low, batch].map((auth) => lives(auth))
    deepEqual(await Promise.all(states), [true, true, false, false, false], name)
  }
})

test('revoke-orphan ends one token and lets its children live', async () => {
  const core = await forest()
  const { ask, lives } = core
  const top = await make(core)
  const middle = await make(core, {}, { token: top.client_token })
  const low = await make(core, {}, { token: middle.client_token })
  const { status } = await ask('write', 'auth/token/revoke-orphan', { token: middle.client_token })
  equal(status, 204)
  deepEqual([await lives(top), await lives(middle), await lives(low)], [true, false, true])
  const { body } = await ask('write', 'auth/token/lookup', { token: low.client_token })
  equal(body.data!['orphan'], true)
  await ask('write', 'auth/token/revoke', { token: top.client_token })
  equal(await lives(low), true)
})

test('a revoked token leaves nothing: no cubbyhole, no index, no record', async () => {
  const core = await forest()
  const { ask } = core
  const asToken = { token: 'my-own' }
  const stored = async () => (await core.core.begin(false))!.list('token/')
  const before = await stored()
  const make1 = () => ask('write', 'auth/token/create', { id: 'my-own', policies: ['default'] })
  await make1()
  equal((await ask('write', 'cubbyhole/note', { a: 'b' }, asToken)).status, 204)
  equal((await ask('write', 'auth/token/revoke-self', {}, asToken)).status, 204)
  deepEqual(await stored(), before)
  const tx = (await core.core.begin(false))!
  deepEqual(await tx.list('m/cubbyhole/'), [])
  deepEqual(await tx.list('token-id/'), (await tx.list('token-id/')).slice(0, 1))
  // The same id again is another token.
  equal((await make1()).status, 200)
  equal((await ask('read', 'cubbyhole/note', {}, asToken)).status, 404)
})

test('revoke ends the leases of the whole tree', async () => {
  const ended: string[] = []
  const tick = defineEngine({
    type: 'tick',
    help: 'Leases.',
    endpoints: [
      endpoint('creds', {
        help: 'A lease.',
        fields: {},
        read: ({ caller }) => lease({ a: 1 }, { kind: 'tick', secret: { of: caller!.accessor } }),
      }),
    ],
    leases: { tick: { revoke: async ({ secret }) => void ended.push(String(secret['of'])) } },
  })
  const core = await testCore({ engines: [tick] })
  const { ask } = core
  equal((await ask('write', 'sys/mounts/tick', { type: 'tick' })).status, 204)
  const policy = 'path "*" { capabilities = ["read", "update"] }'
  await ask('write', 'sys/policies/acl/grower', { policy })
  const top = await make(core)
  const low = await make(core, {}, { token: top.client_token })
  const beside = await make(core)
  for (const { client_token: token } of [top, low, beside]) {
    equal((await ask('read', 'tick/creds', {}, { token })).status, 200)
  }
  await ask('write', 'auth/token/revoke', { token: top.client_token })
  await core.core.expiry.pass()
  deepEqual(ended.toSorted(), [top.accessor, low.accessor].toSorted())
})

test('revoke-self works in the last use', async () => {
  const core = await forest()
  const auth = await make(core, { num_uses: 1 })
  const { status } = await core.ask(
    'write',
    'auth/token/revoke-self',
    {},
    {
      token: auth.client_token,
    },
  )
  equal(status, 204)
  equal(await core.lives(auth), false)
})

test('a child made while its parent is revoked does not survive', async () => {
  const core = await forest()
  for (let round = 0; round < 20; round++) {
    const { client_token: token } = await make(core)
    const [made] = await Promise.all([
      core.ask('write', 'auth/token/create', {}, { token }),
      core.ask('write', 'auth/token/revoke', { token }),
    ])
    const child = made.body['auth'] as Auth | undefined
    if (child) equal(await core.lives(child), false)
  }
})

test('tidy ends what is past its time', async () => {
  const core = await forest()
  const { ask, clock } = core
  await make(core, { ttl: 5 })
  core.core.expiry.stop()
  clock.advance(6_000)
  const { status, body } = await ask('write', 'auth/token/tidy')
  equal(status, 202)
  deepEqual(body['warnings'], [
    "Tidy operation successfully started. Any information from the operation will be printed to Vault's server logs.",
  ])
  for (let i = 0; i < 50 && !core.logs.includes('info: token tidy finished'); i++) {
    await new Promise((resolve) => setImmediate(resolve))
  }
  const keys = (await ask('list', 'auth/token/accessors')).body.data!['keys'] as string[]
  equal(keys.length, 1)
})
