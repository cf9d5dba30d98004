import { deepEqual, equal, ok, rejects } from 'node:assert/strict'
import { generateKeyPairSync, sign, type KeyObject } from 'node:crypto'
import { after, before, test } from 'node:test'
import {
  type FakeKubernetes,
  fakeKubernetes,
  known,
} from '../../../test/support/fake-kubernetes.ts'
import { dataOf, memoryEntries, testEngine } from '../../../test/support/test-engine.ts'
import { TOKEN_SETTINGS } from '../../kit/kit.ts'
import kubernetes from './engine.ts'
import { renewLogin } from './login.ts'

const DENIED = { status: 403, message: 'permission denied' }
const NOW = Date.UTC(2026, 0, 1)
const cluster = generateKeyPairSync('ec', { namedCurve: 'P-256' })
const PEM = cluster.publicKey.export({ type: 'spki', format: 'pem' })

const encode = (value: unknown) => Buffer.from(JSON.stringify(value)).toString('base64url')

/** As a cluster signs it. */
function tokenOf(
  claims: Record<string, unknown>,
  options: { key?: KeyObject; header?: Record<string, unknown> } = {},
): string {
  const { key = cluster.privateKey, header = {} } = options
  const text = `${encode({ alg: 'ES256', kid: 'k', ...header })}.${encode(claims)}`
  const signature = sign('sha256', Buffer.from(text), { key, dsaEncoding: 'ieee-p1363' })
  return `${text}.${signature.toString('base64url')}`
}

const CLAIMS = {
  iss: 'https://kubernetes.default.svc',
  aud: ['coffer'],
  iat: NOW / 1000 - 60,
  nbf: NOW / 1000 - 60,
  exp: NOW / 1000 + 600,
  'kubernetes.io': { namespace: 'default', serviceaccount: { name: 'web', uid: 'uid-1' } },
}
const GOOD = tokenOf(CLAIMS)
const LEGACY = {
  iss: 'kubernetes/serviceaccount',
  'kubernetes.io/serviceaccount/namespace': 'default',
  'kubernetes.io/serviceaccount/service-account.name': 'web',
  'kubernetes.io/serviceaccount/service-account.uid': 'uid-1',
  'kubernetes.io/serviceaccount/secret.name': 'web-token-x',
}

let api: FakeKubernetes
before(async () => {
  api = await fakeKubernetes()
})
after(() => api[Symbol.asyncDispose]())

async function engineWith(
  role: Record<string, unknown> = {},
  config: Record<string, unknown> = {},
  options: { remoteAddress?: string } = {},
) {
  const engine = testEngine(kubernetes, { now: NOW, ...options })
  api.asked.length = 0
  api.answer = () => [201, { status: known('default', 'web', 'uid-1', ['coffer']) }]
  await engine.write('config', {
    kubernetes_host: api.url,
    kubernetes_ca_cert: api.ca,
    token_reviewer_jwt: 'reviewer',
    ...config,
  })
  await engine.write('role/Web', {
    bound_service_account_names: 'web',
    bound_service_account_namespaces: 'default',
    ...role,
  })
  const logIn = async (jwt: string, name = 'web') =>
    (await engine.write('login', { role: name, jwt }))?.login
  return { engine, logIn }
}

test('login says what is missing (fake API)', async () => {
  const { engine, logIn } = await engineWith()
  await rejects(logIn(GOOD, ''), { status: 400, message: 'missing role' })
  await rejects(logIn(' '), { status: 400, message: 'missing jwt' })
  await rejects(logIn(GOOD, 'nobody'), { status: 400, message: 'invalid role name "nobody"' })
  const bare = testEngine(kubernetes)
  await bare.write('role/web', {
    bound_service_account_names: '*',
    bound_service_account_namespaces: '*',
  })
  await rejects(bare.write('login', { role: 'web', jwt: GOOD }), {
    status: 500,
    message: 'could not load backend configuration',
  })
  equal(api.asked.length, 0)
  ok(await engine.read('config'))
})

test('login refuses a token by what it says of itself, without asking (fake API)', async () => {
  const { logIn } = await engineWith({ audience: 'coffer' })
  const seconds = NOW / 1000
  const wrong: [string, string][] = [
    ['no token', 'x'],
    ['two parts', 'e30.e30'],
    ['none', tokenOf(CLAIMS, { header: { alg: 'none' } })],
    ['HS256', tokenOf(CLAIMS, { header: { alg: 'HS256' } })],
    ['critical', tokenOf(CLAIMS, { header: { crit: ['x'] } })],
    ['expired', tokenOf({ ...CLAIMS, exp: seconds - 61 })],
    ['end as text', tokenOf({ ...CLAIMS, exp: '9999999999' })],
    ['not yet', tokenOf({ ...CLAIMS, nbf: seconds + 61 })],
    ['from tomorrow', tokenOf({ ...CLAIMS, iat: seconds + 61 })],
    ['for another', tokenOf({ ...CLAIMS, aud: ['other'] })],
    ['for nobody', tokenOf({ ...CLAIMS, aud: undefined })],
    ['no account', tokenOf({ ...CLAIMS, 'kubernetes.io': { namespace: 'default' } })],
    ['no claims of Kubernetes', tokenOf({ ...CLAIMS, 'kubernetes.io': 'web' })],
    ['twice', `${GOOD.split('.')[0]}.${Buffer.from('{"a":1,"a":2}').toString('base64url')}.x`],
  ]
  for (const [label, token] of wrong) await rejects(logIn(token), DENIED, label)
  const other = (account: object) => tokenOf({ ...CLAIMS, 'kubernetes.io': account })
  const serviceaccount = { name: 'web', uid: 'uid-1' }
  await rejects(logIn(other({ namespace: 'kube-system', serviceaccount })), {
    status: 403,
    message: 'namespace not authorized',
  })
  const admin = { name: 'admin', uid: 'uid-1' }
  await rejects(logIn(other({ namespace: 'default', serviceaccount: admin })), {
    status: 403,
    message: 'service account name not authorized',
  })
  equal(api.asked.length, 0)
})

test('login refuses what the API does not know as this very account (fake API)', async () => {
  const { logIn } = await engineWith({ audience: 'coffer' })
  const good = known('default', 'web', 'uid-1', ['coffer'])
  const { user } = good
  const statuses: [string, object][] = [
    ['not authenticated', { ...good, authenticated: false }],
    ['as text', { ...good, authenticated: 'true' }],
    ['error', { ...good, error: 'expired' }],
    ['another name', known('default', 'admin', 'uid-1', ['coffer'])],
    ['another namespace', known('other', 'web', 'uid-1', ['coffer'])],
    ['another uid', known('default', 'web', 'uid-2', ['coffer'])],
    ['no user', { authenticated: true, audiences: ['coffer'] }],
    ['no account', { ...good, user: { ...user, username: 'web' } }],
    ['another audience', known('default', 'web', 'uid-1', ['other'])],
    ['no audience', known('default', 'web', 'uid-1')],
  ]
  for (const [label, status] of statuses) {
    api.answer = () => [201, { status }]
    await rejects(logIn(GOOD), DENIED, label)
  }
  api.answer = () => [201, { status: good }]
  ok(await logIn(GOOD))
})

test('login is a 500 without a value when the API cannot be asked (fake API)', async () => {
  const message = 'the Kubernetes API could not be asked about the token'
  const answers: [number, unknown][] = [
    [500, {}],
    [403, { message: 'no rights' }],
    [401, {}],
    [302, {}],
    [201, 'no json'],
    [201, {}],
    [201, { status: 'ok' }],
  ]
  for (const answer of answers) {
    const { logIn } = await engineWith()
    api.answer = () => answer
    await rejects(logIn(GOOD), { status: 500, message }, JSON.stringify(answer))
  }
  const strange = await engineWith({}, { kubernetes_ca_cert: '' })
  await rejects(strange.logIn(GOOD), { status: 500, message })
  const gone = await engineWith({}, { kubernetes_host: 'https://127.0.0.1:1' })
  await rejects(gone.logIn(GOOD), { status: 500, message })
})

test('login asks as the reviewer, or as the token itself (fake API)', async () => {
  const { logIn } = await engineWith({ audience: 'coffer' })
  await logIn(` ${GOOD}\n`)
  deepEqual(api.asked, [{ token: GOOD, audiences: ['coffer'], bearer: 'reviewer' }])
  const own = await engineWith({}, { token_reviewer_jwt: '', disable_local_ca_jwt: true })
  await own.logIn(GOOD)
  deepEqual(api.asked, [{ token: GOOD, audiences: undefined, bearer: GOOD }])
  api.answer = () => [401, { message: 'Unauthorized' }]
  await rejects(own.logIn(GOOD), DENIED)
})

test('login holds the signature against the keys, when there are some (fake API)', async () => {
  const { logIn } = await engineWith({}, { pem_keys: [PEM] })
  const { privateKey } = generateKeyPairSync('ec', { namedCurve: 'P-256' })
  await rejects(logIn(tokenOf(CLAIMS, { key: privateKey })), DENIED)
  await rejects(logIn(`${GOOD.split('.').slice(0, 2).join('.')}.AAAA`), DENIED)
  equal(api.asked.length, 0)
  ok(await logIn(GOOD))
  // The API has the last word all the same.
  api.answer = () => [201, { status: { authenticated: false } }]
  await rejects(logIn(GOOD), DENIED)
})

test('login checks the issuer when it is told to (fake API)', async () => {
  const config = { disable_iss_validation: false }
  const strict = await engineWith({}, config)
  await rejects(strict.logIn(GOOD), DENIED)
  ok(await strict.logIn(tokenOf(LEGACY)))
  const named = await engineWith({}, { ...config, issuer: CLAIMS.iss })
  ok(await named.logIn(GOOD))
  await rejects(named.logIn(tokenOf(LEGACY)), DENIED)
})

test('bound names and namespaces take stars (fake API)', async () => {
  const rows: [string, string, boolean][] = [
    ['*', '*', true],
    ['w*', 'def*lt', true],
    ['web,other', 'default', true],
    ['we', 'default', false],
    ['*eb*x', 'default', false],
    ['WEB', 'default', false],
  ]
  for (const [names, namespaces, expected] of rows) {
    const { logIn } = await engineWith({
      bound_service_account_names: names,
      bound_service_account_namespaces: namespaces,
    })
    if (expected) ok(await logIn(GOOD), names)
    else await rejects(logIn(GOOD), { status: 403 }, names)
  }
})

test('login gives a token with what the account is (fake API)', async () => {
  const options = { remoteAddress: '10.1.0.1' }
  const role = { token_policies: 'b,a', token_bound_cidrs: '10.0.0.0/8' }
  const { logIn } = await engineWith(role, {}, options)
  const about = {
    service_account_name: 'web',
    service_account_namespace: 'default',
    service_account_secret_name: '',
    service_account_uid: 'uid-1',
  }
  const grant = await logIn(GOOD, 'WEB')
  deepEqual(grant?.metadata, { ...about, role: 'web' })
  deepEqual([grant.alias, grant.displayName, grant.aliasMetadata], ['uid-1', 'default-web', about])
  deepEqual(grant.token.policies, ['a', 'b'])
  const named = await engineWith({ alias_name_source: 'serviceaccount_name' })
  const legacy = await named.logIn(tokenOf(LEGACY))
  deepEqual(
    [legacy?.alias, legacy?.metadata['service_account_secret_name']],
    ['default/web', 'web-token-x'],
  )
})

test('login from an address that the token could not be used from is refused (fake API)', async () => {
  const { logIn } = await engineWith({ token_bound_cidrs: '10.0.0.0/8' })
  await rejects(logIn(GOOD), DENIED)
  equal(api.asked.length, 0)
})

test('renewLogin() gives the settings as they are now, and nothing once the role is gone', async () => {
  const { engine, logIn } = await engineWith({ token_ttl: 60 })
  const internal = (await logIn(GOOD))?.internal ?? {}
  const renew = () => renewLogin({ store: memoryEntries(engine.entries()) }, internal)
  await engine.write('role/web', { token_ttl: 90 })
  equal((await renew())?.ttlSeconds, 90)
  await engine.delete('role/WEB')
  equal(await renew(), undefined)
})

test('a role is refused without bounds, and read as it was written', async () => {
  const engine = testEngine(kubernetes)
  const bounds = { bound_service_account_names: 'a', bound_service_account_namespaces: 'b' }
  const rows: [Record<string, unknown>, RegExp][] = [
    [{}, /"bound_service_account_names" can not be empty/],
    [{ bound_service_account_names: 'a' }, /"bound_service_account_namespaces" can not be empty/],
    [{ ...bounds, bound_service_account_names: '*,a' }, /can not mix "\*" with values/],
    [{ ...bounds, alias_name_source: 'x' }, /invalid alias_name_source/],
    [{ ...bounds, bound_service_account_namespace_selector: '{}' }, /not supported/],
  ]
  for (const [body, message] of rows) {
    await rejects(engine.write('role/web', body), { status: 400, message })
  }
  equal(engine.entries().size, 0)
  equal(await engine.write('role/Web', { ...bounds, num_uses: 2 }), undefined)
  deepEqual(dataOf(await engine.read('role/web')), {
    ...TOKEN_SETTINGS,
    token_num_uses: 2,
    num_uses: 2,
    bound_service_account_names: ['a'],
    bound_service_account_namespaces: ['b'],
    alias_name_source: 'serviceaccount_uid',
  })
  await engine.write('role/web', { audience: 'x' })
  equal(dataOf(await engine.read('role/web'))['audience'], 'x')
  deepEqual(dataOf(await engine.list('role')), { keys: ['web'] })
})

test('the settings are refused when they cannot work, and never show the reviewer', async () => {
  const engine = testEngine(kubernetes)
  const host = { kubernetes_host: 'https://10.0.0.1:6443' }
  const secret = cluster.privateKey.export({ type: 'pkcs8', format: 'pem' })
  const rows: [Record<string, unknown>, RegExp][] = [
    [{}, /no host provided/],
    [{ kubernetes_host: 'ftp://x' }, /kubernetes_host must be/],
    [{ kubernetes_host: 'https://user@x' }, /kubernetes_host must be/],
    [{ ...host, disable_local_ca_jwt: true }, /kubernetes_ca_cert must be given/],
    [{ ...host, pem_keys: ['x'] }, /pem_keys must be PEM/],
    [{ ...host, pem_keys: [secret] }, /pem_keys must be PEM/],
    [{ ...host, use_annotations_as_alias_metadata: true }, /not supported/],
  ]
  for (const [body, message] of rows) {
    await rejects(engine.write('config', body), { status: 400, message })
  }
  equal(await engine.read('config'), undefined)
  await engine.write('config', { ...host, token_reviewer_jwt: 'canary' })
  deepEqual(dataOf(await engine.read('config')), {
    ...host,
    kubernetes_ca_cert: '',
    pem_keys: [],
    issuer: '',
    disable_iss_validation: true,
    disable_local_ca_jwt: false,
    token_reviewer_jwt_set: true,
  })
  for (const kubernetes_host of ['10.0.0.1:6443', 'k8s', 'https://k8s/base/']) {
    equal(await engine.write('config', { kubernetes_host }), undefined)
  }
  // A write replaces all of it.
  equal(dataOf(await engine.read('config'))['token_reviewer_jwt_set'], false)
})
