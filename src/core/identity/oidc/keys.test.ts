import { deepEqual, equal, notEqual, ok } from 'node:assert/strict'
import { test } from 'node:test'
import {
  done,
  type Jwk,
  jwks,
  oidcCore,
  person,
  read,
  refused,
} from '../../../../test/support/oidc.ts'
import { type TestCore } from '../../../../test/support/test-core.ts'
import { type NamedKey } from './key.ts'
import { oidcUpkeep } from './upkeep.ts'

const KEY = 'identity/oidc/key'
const DAY = 86_400
const SETTINGS = {
  algorithm: 'RS256',
  allowed_client_ids: [],
  rotation_period: DAY,
  verification_ttl: DAY,
}

/** A key that a role uses, so that the JWKS has it. ES256 is made in no time. */
async function usedKey(core: TestCore, changes: Record<string, unknown> = {}): Promise<void> {
  await done(core, `${KEY}/k`, { algorithm: 'ES256', allowed_client_ids: '*', ...changes })
  await done(core, 'identity/oidc/role/r', { key: 'k', ttl: 60 })
}

const kids = (keys: readonly Jwk[]) => keys.map(({ kid }) => kid)

async function signer(core: TestCore, token: string): Promise<string> {
  const { body } = await core.ask('read', 'identity/oidc/token/r', {}, { token })
  const [header = ''] = String(body.data?.['token']).split('.')
  return (JSON.parse(Buffer.from(header, 'base64url').toString()) as { kid: string }).kid
}

test('a key is refused whose settings make no sense', async () => {
  const core = await oidcCore()
  const rows: [Record<string, unknown>, string][] = [
    [{ rotation_period: 59 }, 'rotation_period must be at least one minute'],
    [
      { rotation_period: 60, verification_ttl: 601 },
      'verification_ttl cannot be longer than 10x rotation_period',
    ],
    [{ algorithm: 'HS256' }, 'unknown signing algorithm "HS256"'],
    [{ algorithm: '' }, 'unknown signing algorithm ""'],
  ]
  for (const [data, text] of rows) deepEqual(await refused(core, `${KEY}/k`, data), [text])
  equal((await core.ask('read', `${KEY}/k`)).status, 404)
  deepEqual(await refused(core, `${KEY}/k/rotate`), ['no named key found at "k"'])
})

test('a key cannot be deleted while a role or a client names it', async () => {
  const core = await oidcCore()
  await usedKey(core)
  await done(core, 'identity/oidc/role/s', { key: 'k', ttl: 60 })
  const gone = async () => (await core.ask('delete', `${KEY}/k`)).body?.errors
  const unable = 'unable to delete key "k" because it is currently referenced by these'
  deepEqual(await gone(), [`${unable} roles: r, s`])
  await core.ask('delete', 'identity/oidc/role/r')
  await core.ask('delete', 'identity/oidc/role/s')
  await done(core, 'identity/oidc/client/c', { key: 'k' })
  deepEqual(await gone(), [`${unable} clients: c`])
  await core.ask('delete', 'identity/oidc/client/c')
  equal((await core.ask('delete', `${KEY}/k`)).status, 204)
  equal((await core.ask('read', `${KEY}/k`)).status, 404)
})

test('a key cannot be verified with for a shorter time than a token of it lives', async () => {
  const core = await oidcCore()
  await usedKey(core)
  const unable = 'unable to update key "k" because it is currently referenced by one or more'
  deepEqual(await refused(core, `${KEY}/k`, { verification_ttl: 59 }), [
    `${unable} roles with a token ttl greater than 59 seconds`,
  ])
  await core.ask('delete', 'identity/oidc/role/r')
  await done(core, 'identity/oidc/client/c', { key: 'k', id_token_ttl: 60 })
  deepEqual(await refused(core, `${KEY}/k`, { verification_ttl: 59 }), [
    `${unable} clients with an id_token_ttl greater than 59 seconds`,
  ])
  await done(core, `${KEY}/k`, { verification_ttl: 60 })
})

test('the default key is there without being made, and stays', async () => {
  const core = await oidcCore()
  deepEqual(await read(core, `${KEY}/default`), { ...SETTINGS, allowed_client_ids: ['*'] })
  deepEqual((await core.ask('list', KEY)).body.data, { keys: ['default'] })
  deepEqual((await core.ask('delete', `${KEY}/default`)).body.errors, [
    'deletion of key "default" not allowed',
  ])
  await done(core, `${KEY}/default`, { algorithm: 'EdDSA' })
  deepEqual(await read(core, `${KEY}/default`), {
    ...SETTINGS,
    algorithm: 'EdDSA',
    allowed_client_ids: ['*'],
  })
  deepEqual((await core.ask('list', KEY)).body.data, { keys: ['default'] })
  await done(core, `${KEY}/default/rotate`)
})

test('a key has the defaults, and keeps what a change leaves out', async () => {
  const core = await oidcCore()
  await done(core, `${KEY}/k`)
  deepEqual(await read(core, `${KEY}/k`), SETTINGS)
  await done(core, `${KEY}/k`, { verification_ttl: '2d', algorithm: 'ES512' })
  await done(core, `${KEY}/k`, { rotation_period: '1h', verification_ttl: 60 })
  await done(core, `${KEY}/k`, { allowed_client_ids: 'a,b' })
  deepEqual(await read(core, `${KEY}/k`), {
    algorithm: 'ES512',
    allowed_client_ids: ['a', 'b'],
    rotation_period: 3600,
    verification_ttl: 60,
  })
  deepEqual((await core.ask('list', KEY)).body.data, { keys: ['default', 'k'] })
})

test('who may only update keys cannot make one', async () => {
  const core = await oidcCore()
  await done(core, 'sys/policies/acl/changer', {
    policy: `path "${KEY}/*" { capabilities = ["update"] }`,
  })
  const { body } = await core.ask('write', 'auth/token/create', { policies: ['changer'] })
  const token = (body['auth'] as Record<string, string>)['client_token']
  const write = (name: string) => core.ask('write', `${KEY}/${name}`, {}, { token })
  equal((await write('k')).status, 403)
  equal((await write('default')).status, 204)
  await done(core, `${KEY}/k`, { algorithm: 'ES256' })
  equal((await write('k')).status, 204)
})

test('the JWKS has what signs, what will sign, and what may still be verified', async () => {
  const core = await oidcCore()
  const { token } = await person(core, 'ann')
  deepEqual(await jwks(core), [])
  await usedKey(core, { rotation_period: 600, verification_ttl: 300 })
  const [signs, next] = kids(await jwks(core))
  equal(await signer(core, token), signs)
  await done(core, `${KEY}/k/rotate`)
  const after = kids(await jwks(core))
  deepEqual([after[0], after[2]], [next, signs])
  equal(await signer(core, token), next)
  core.clock.advance(299_000)
  equal((await jwks(core)).length, 3)
  core.clock.advance(1_000)
  deepEqual(kids(await jwks(core)), after.slice(0, 2))
})

test('a pair that is rotated away with no time left cannot be verified with any more', async () => {
  const core = await oidcCore()
  await usedKey(core)
  const [signs, next] = kids(await jwks(core))
  await done(core, `${KEY}/k/rotate`, { verification_ttl: 0 })
  const after = kids(await jwks(core))
  deepEqual([after.length, after[0]], [2, next])
  ok(!after.includes(signs!))
})

test('a key past its period rotates before it signs, to the pair that was told before', async () => {
  const core = await oidcCore()
  const { id, token } = await person(core, 'ann')
  ok(id)
  await usedKey(core, { rotation_period: 600, verification_ttl: 300 })
  const [signs, next] = kids(await jwks(core))
  core.clock.advance(599_000)
  equal(await signer(core, token), signs)
  core.clock.advance(1_000)
  equal(await signer(core, token), next)
  equal(await signer(core, token), next)
  equal((await jwks(core)).length, 3)
})

test('a shorter period counts from now, a longer one moves nothing', async () => {
  const core = await oidcCore()
  const { token } = await person(core, 'ann')
  await usedKey(core, { rotation_period: 600, verification_ttl: 300 })
  const [signs] = kids(await jwks(core))
  await done(core, `${KEY}/k`, { rotation_period: 60 })
  await done(core, `${KEY}/k`, { rotation_period: 6000 })
  core.clock.advance(59_000)
  equal(await signer(core, token), signs)
  core.clock.advance(1_000)
  notEqual(await signer(core, token), signs)
})

test('upkeep rotates a key past its period, and makes no default key', async () => {
  const core = await oidcCore()
  await usedKey(core, { rotation_period: 600, verification_ttl: 300 })
  const before = kids(await jwks(core))
  core.clock.advance(599_000)
  await oidcUpkeep(core.core)
  deepEqual(kids(await jwks(core)), before)
  core.clock.advance(1_000)
  await oidcUpkeep(core.core)
  equal(kids(await jwks(core))[0], before[1])
  equal(await (await core.core.begin(false))!.get('identity-oidc/key/default'), undefined)
})

test('another algorithm makes other pairs; the old one can still be verified with', async () => {
  const core = await oidcCore()
  await usedKey(core)
  const [signs] = kids(await jwks(core))
  await done(core, `${KEY}/k`, { algorithm: 'EdDSA' })
  const after = await jwks(core)
  deepEqual(
    after.map(({ alg }) => alg),
    ['EdDSA', 'EdDSA', 'ES256'],
  )
  equal(after[2]!.kid, signs)
})

test('the JWKS is good until the next rotation and no longer than a pair is verified', async () => {
  const core = await oidcCore()
  const age = async () =>
    (await core.ask('read', 'identity/oidc/.well-known/keys', {}, { token: undefined })).headers
  deepEqual(await age(), {})
  await usedKey(core, { rotation_period: 600, verification_ttl: 500 })
  deepEqual(await age(), { 'Cache-Control': 'max-age=500' })
  core.clock.advance(400_000)
  deepEqual(await age(), { 'Cache-Control': 'max-age=200' })
  core.clock.advance(400_000)
  deepEqual(await age(), { 'Cache-Control': 'max-age=0' })
})

test('no answer has a private key in it', async () => {
  const core = await oidcCore()
  const { token } = await person(core, 'ann')
  await usedKey(core)
  await done(core, `${KEY}/k/rotate`)
  const answers = [
    await core.ask('read', `${KEY}/k`),
    await core.ask('list', KEY),
    await core.ask('read', 'identity/oidc/role/r'),
    await core.ask('read', 'identity/oidc/token/r', {}, { token }),
    await core.ask('read', 'identity/oidc/.well-known/keys'),
    await core.ask('read', 'identity/oidc/.well-known/openid-configuration'),
  ]
  const tx = (await core.core.begin(false))!
  const stored = (await tx.get<NamedKey>('identity-oidc/key/k'))!
  for (const { jwk } of [stored.signing, stored.next]) {
    for (const { text, status } of answers) {
      equal(status, 200)
      ok(!text.includes(jwk.d!))
    }
  }
})
