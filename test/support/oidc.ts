/** People, clients and logins for tests of `identity/oidc/`. */
import { deepEqual, equal } from 'node:assert/strict'
import { createHash, createPublicKey, verify } from 'node:crypto'
import { type Answered, testCore, type TestCore } from './test-core.ts'

export type Person = { id: string; token: string }
export type Json = Record<string, unknown>

export const API_ADDR = 'https://vault.test:8200'

export const oidcCore = (): Promise<TestCore> => testCore({ settings: { apiAddr: API_ADDR } })

/** Asks as root and expects success. */
export async function done(core: TestCore, path: string, data: Json = {}): Promise<Json> {
  const { status, body } = await core.ask('write', path, data)
  equal(status < 300, true, `${path}: ${JSON.stringify(body)}`)
  return body?.data ?? {}
}

export async function read(core: TestCore, path: string): Promise<Json> {
  const { status, body } = await core.ask('read', path)
  equal(status, 200, `${path}: ${JSON.stringify(body)}`)
  return body.data ?? {}
}

/** The errors of a write that must be refused with 400. */
export async function refused(core: TestCore, path: string, data: Json = {}): Promise<unknown> {
  const { status, body } = await core.ask('write', path, data)
  equal(status, 400, `${path}: ${JSON.stringify(body)}`)
  return body.errors
}

/** An entity, and a token that is its. */
export async function person(core: TestCore, name: string, changes: Json = {}): Promise<Person> {
  const { id } = await done(core, 'identity/entity', { name, ...changes })
  return { id: String(id), token: await tokenOf(core, String(id)) }
}

/** A token with the default policy and one that may do all of OIDC. */
export async function tokenOf(core: TestCore, entityId: string): Promise<string> {
  await done(core, 'sys/policies/acl/oidc', {
    policy: 'path "identity/oidc/*" { capabilities = ["create", "read", "update", "list"] }',
  })
  const tx = (await core.core.begin(false))!
  const { id } = core.core.tokens.create(tx, {
    policies: ['default', 'oidc'],
    path: 'auth/test/login',
    meta: null,
    displayName: 'test',
    numUses: 0,
    createdAt: core.clock.now(),
    ttlSeconds: 86_400,
    expiresAt: core.clock.now() + 86_400_000,
    explicitMaxTtlSeconds: 0,
    periodSeconds: 0,
    maxTtlSeconds: 0,
    renewable: false,
    orphan: true,
    type: 'service',
    entityId,
    boundCidrs: [],
  })
  await core.core.commit(tx)
  return id
}

/** A public client has no secret. */
export type Client = { client_id: string; client_secret?: string }
export const CALLBACK = 'https://app.test/callback'

/** A client that anybody with an entity may log in to. */
export async function client(core: TestCore, name: string, changes: Json = {}): Promise<Client> {
  await done(core, `identity/oidc/client/${name}`, {
    redirect_uris: [CALLBACK],
    assignments: ['allow_all'],
    ...changes,
  })
  return (await read(core, `identity/oidc/client/${name}`)) as unknown as Client
}

export const VERIFIER = 'a-verifier-of-at-least-forty-three-characters'
export const CHALLENGE = createHash('sha256').update(VERIFIER).digest('base64url')

/** What a client asks the authorization endpoint with. */
export const asked = (client_id: string, changes: Json = {}): Json => ({
  client_id,
  redirect_uri: CALLBACK,
  response_type: 'code',
  scope: 'openid',
  state: 'the state',
  nonce: 'the nonce',
  ...changes,
})

/** What it asks the token endpoint with. */
export const redeeming = (by: Client, code: string, changes: Json = {}): Json => ({
  grant_type: 'authorization_code',
  redirect_uri: CALLBACK,
  code,
  client_id: by.client_id,
  ...(by.client_secret !== undefined && { client_secret: by.client_secret }),
  ...changes,
})

export async function codeFor(
  core: TestCore,
  { token }: Person,
  { client_id }: Client,
  changes: Json = {},
): Promise<string> {
  const data = asked(client_id, changes)
  const answer = await core.ask('read', 'identity/oidc/provider/default/authorize', data, { token })
  equal(answer.status, 200, answer.text)
  return String(answer.body['code'])
}

/** The token endpoint is asked by clients, who have no token of this server. */
export const exchange = (core: TestCore, data: Json, headers = {}): Promise<Answered> =>
  core.ask('write', 'identity/oidc/provider/default/token', data, { token: undefined, headers })

export type Jwk = Json & { kid: string; alg: string }

export async function jwks(core: TestCore, at = 'identity/oidc'): Promise<Jwk[]> {
  const answer = await core.ask('read', `${at}/.well-known/keys`, {}, { token: undefined })
  equal(answer.status, 200)
  return answer.body['keys'] as Jwk[]
}

/** The claims of a JWT whose signature one of the keys verifies; Node's own crypto judges. */
export function verified(token: string, keys: readonly Jwk[]): Json {
  const [header = '', payload = '', signature = ''] = token.split('.')
  const { alg, kid } = parsed(header) as { alg: string; kid: string }
  const found = keys.filter((key) => key.kid === kid)
  deepEqual(
    found.map((key) => key.alg),
    [alg],
    'exactly one key of this id and algorithm',
  )
  const good = verify(
    alg === 'EdDSA' ? null : `sha${alg.slice(2)}`,
    Buffer.from(`${header}.${payload}`),
    { key: createPublicKey({ key: found[0]!, format: 'jwk' }), dsaEncoding: 'ieee-p1363' },
    Buffer.from(signature, 'base64url'),
  )
  equal(good, true, 'the signature must verify')
  return parsed(payload)
}

const parsed = (part: string) => JSON.parse(Buffer.from(part, 'base64url').toString()) as Json
