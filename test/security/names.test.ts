/** Names that look like others, and what a name must not open. Named by the cases they answer. */
import { deepEqual, equal, ok } from 'node:assert/strict'
import { test } from 'node:test'
import { everyEngine, openEndpoints } from '../../scripts/gen.ts'
import { type Endpoint } from '../../src/kit/engine.ts'
import { ENGINES } from '../../src/server/builtin.ts'
import { putPolicy, tokenOf, tokenWith } from '../support/policy-token.ts'
import { testCore } from '../support/test-core.ts'

const ROOT_LIKE = [
  ...['Root', 'ROOT', 'rOOt', ' root', 'root ', '\troot', 'root\n', '\u00a0root', 'root\u2003'],
  ...['root\u200b', '\u200broot', 'ro\u00adot', '\ufeffroot', 'root\u0000', 'r\u2060oot'],
  ...[
    '\uff52\uff4f\uff4f\uff54',
    '\uff32\uff2f\uff2f\uff34',
    'r\u006f\u0301ot',
    '\u24e1\u24de\u24de\u24e3',
  ],
  ...['r%6fot', '%72oot', 'root/', '/root', './root', '../root', 'root//', 'root,', 'root;'],
  ...[
    '\ud835\udc2b\ud835\udc28\ud835\udc28\ud835\udc2d',
    'rооt',
    'r00t',
    'root\u0301',
    '"root"',
    "'root'",
  ],
  ...[
    'root,default',
    'default,root',
    'root\u2028',
    '\u1d63oot',
    'Ro\u00f6t',
    'root\u{e0020}',
    'root:',
    'RooT',
  ],
]

test('S04 a policy whose name looks like root grants no root', async () => {
  const t = await testCore()
  for (const name of ROOT_LIKE) {
    const path = `sys/policies/acl/${encodeURIComponent(name).replaceAll('%2F', '/')}`
    const policy = 'path "kv1/only" { capabilities = ["read"] }'
    const { status } = await t.ask('write', path, { policy })
    ok([200, 204, 400, 404].includes(status), `${JSON.stringify(name)}: ${status}`)
    const made = await t.ask('write', 'auth/token/create', { policies: [name], no_parent: true })
    if (made.status !== 200) continue
    const auth = made.body['auth'] as { client_token: string; policies: string[] }
    // Root asked for root by a name that is root's: that is what root may do.
    if (auth.policies.includes('root')) continue
    const { client_token: token } = auth
    equal((await t.ask('read', 'sys/mounts', {}, { token })).status, 403, JSON.stringify(name))
    equal((await t.ask('write', 'kv1/other', { a: 1 }, { token })).status, 403)
  }
})

test('S05 no spelling of root comes out of a role, a token role or a batch token', async () => {
  const t = await testCore()
  equal(new Set(ROOT_LIKE).size, ROOT_LIKE.length)
  ok(ROOT_LIKE.length >= 40)
  await putPolicy(t, 'maker', 'path "auth/token/*" { capabilities = ["create", "update", "sudo"] }')
  const maker = (await tokenWith(t, ['maker'])).id
  const isRoot = async (answer: Awaited<ReturnType<typeof t.ask>>): Promise<boolean> => {
    const auth = answer.body?.['auth'] as { client_token: string; policies: string[] } | undefined
    if (!auth) return false
    const { client_token: token } = auth
    return (
      auth.policies.includes('root') ||
      (await t.ask('read', 'sys/mounts', {}, { token })).status === 200
    )
  }
  for (const [i, name] of ROOT_LIKE.entries()) {
    const told = JSON.stringify(name)
    await t.ask('write', `auth/approle/role/r${i}`, {
      token_policies: [name],
      bind_secret_id: false,
      secret_id_bound_cidrs: '127.0.0.1/8',
    })
    const { body } = await t.ask('read', `auth/approle/role/r${i}/role-id`)
    const login = await t.ask('write', 'auth/approle/login', { role_id: body?.data?.['role_id'] })
    ok(!(await isRoot(login)), `approle: ${told}`)
    await t.ask('write', `auth/token/roles/r${i}`, { allowed_policies: [name] })
    const byRole = await t.ask(
      'write',
      `auth/token/create/r${i}`,
      { policies: [name] },
      { token: maker },
    )
    ok(!(await isRoot(byRole)), `token role: ${told}`)
    for (const type of ['service', 'batch']) {
      const made = await t.ask(
        'write',
        'auth/token/create',
        { policies: [name], type },
        { token: maker },
      )
      ok(!(await isRoot(made)), `${type} token: ${told}`)
    }
  }
})

test('S05 no spelling of root comes out of an entity or a group', async () => {
  const t = await testCore()
  await t.ask('write', 'auth/approle/role/app', {
    bind_secret_id: false,
    secret_id_bound_cidrs: '127.0.0.1/8',
  })
  const { body } = await t.ask('read', 'auth/approle/role/app/role-id')
  const role_id = body.data!['role_id']
  const login = async () => {
    const { body: made } = await t.ask('write', 'auth/approle/login', { role_id })
    return made['auth'] as { client_token: string; entity_id: string; policies: string[] }
  }
  const { entity_id } = await login()
  ok(entity_id)
  for (const name of ROOT_LIKE) {
    await t.ask('write', `identity/entity/id/${entity_id}`, { policies: [name] })
    await t.ask('write', 'identity/group', {
      name: 'g',
      policies: [name],
      member_entity_ids: [entity_id],
    })
    const { client_token: token, policies } = await login()
    ok(!policies.includes('root'), JSON.stringify(name))
    equal((await t.ask('read', 'sys/mounts', {}, { token })).status, 403, JSON.stringify(name))
  }
})

const literals = (path: string) => path.split('/').filter((part) => !part.startsWith(':'))
/** Endpoints that hand out credentials, tokens or secrets of a mount. */
const GIVES = /^(creds?|credentials|sts|static-creds?|token|key|keys|data|login|issue|sign)\b/

test('S09 a wildcard on what configures an engine opens none of what it gives out', async () => {
  const t = await testCore()
  let checked = 0
  for (const engine of ENGINES.filter((each) => each.class === 'secret')) {
    const heads = new Set(engine.endpoints.map(({ path }) => literals(path)[0] ?? ''))
    const giving = engine.endpoints.filter(({ path }) => GIVES.test(path))
    for (const head of heads) {
      if (head === '' || GIVES.test(head)) continue
      const token = await tokenOf(
        t,
        `path "x/${head}/*" { capabilities = ["create", "read", "update", "delete", "list"] }`,
      )
      for (const each of giving) {
        const path = `x/${pathOf(each)}`
        const { status } = await t.ask('read', path, {}, { token })
        equal(status, 403, `${engine.type}: ${path} by ${head}/*`)
        checked++
      }
    }
  }
  ok(checked > 10, `${checked} pairs`)
})

const pathOf = ({ path }: Endpoint) => path.replace(/:[a-z_]+\*/g, 'a/b').replace(/:[a-z_]+/g, 'a')

test('S20 the accessor of one role does nothing through another', async () => {
  const t = await testCore()
  for (const role of ['one', 'two']) await t.ask('write', `auth/approle/role/${role}`, {})
  const made = await t.ask('write', 'auth/approle/role/two/secret-id')
  const { secret_id, secret_id_accessor } = made.body.data as Record<string, string>
  for (const path of ['secret-id-accessor/lookup', 'secret-id-accessor/destroy']) {
    const { status } = await t.ask('write', `auth/approle/role/one/${path}`, { secret_id_accessor })
    ok([403, 404].includes(status), `${path}: ${status}`)
  }
  await t.ask('write', 'auth/approle/role/one/secret-id/destroy', { secret_id })
  const found = await t.ask('write', 'auth/approle/role/two/secret-id/lookup', { secret_id })
  equal(found.status, 200)
  equal(found.body.data!['secret_id_accessor'], secret_id_accessor)
})

test('S20 a secret id ends on time with nothing to tidy it away', async () => {
  const t = await testCore()
  t.core.expiry.stop()
  await t.ask('write', 'auth/approle/role/one', {
    secret_id_ttl: '60s',
    token_policies: ['default'],
  })
  const { body } = await t.ask('read', 'auth/approle/role/one/role-id')
  const { role_id } = body.data!
  const made = await t.ask('write', 'auth/approle/role/one/secret-id')
  const { secret_id } = made.body.data!
  const login = () => t.ask('write', 'auth/approle/login', { role_id, secret_id })
  equal((await login()).status, 200)
  t.clock.advance(60_000)
  equal((await login()).status, 400)
})

/** Each line here is a decision: what is not in it asks for a token. */
const OPEN = `
  /v1/auth/alicloud/login
  /v1/auth/approle/login
  /v1/auth/aws/login
  /v1/auth/azure/login
  /v1/auth/cert/login
  /v1/auth/cf/login
  /v1/auth/gcp/login
  /v1/auth/github/login
  /v1/auth/jwt/login
  /v1/auth/jwt/oidc/auth_url
  /v1/auth/jwt/oidc/callback
  /v1/auth/kerberos/login
  /v1/auth/kubernetes/login
  /v1/auth/ldap/login/:username
  /v1/auth/oci/login/:role
  /v1/auth/oidc/login
  /v1/auth/oidc/oidc/auth_url
  /v1/auth/oidc/oidc/callback
  /v1/auth/okta/login/:username
  /v1/auth/okta/verify/:nonce
  /v1/auth/radius/login
  /v1/auth/radius/login/:urlusername
  /v1/auth/userpass/login/:username
  /v1/identity/oidc/.well-known/keys
  /v1/identity/oidc/.well-known/openid-configuration
  /v1/identity/oidc/provider/:name/.well-known/keys
  /v1/identity/oidc/provider/:name/.well-known/openid-configuration
  /v1/identity/oidc/provider/:name/token
  /v1/sys/decode-token
  /v1/sys/generate-root
  /v1/sys/generate-root/attempt
  /v1/sys/generate-root/update
  /v1/sys/health
  /v1/sys/init
  /v1/sys/internal/specs/openapi
  /v1/sys/internal/ui/feature-flags
  /v1/sys/internal/ui/mounts
  /v1/sys/internal/ui/mounts/:path*
  /v1/sys/internal/ui/namespaces
  /v1/sys/internal/ui/unauthenticated-messages
  /v1/sys/leader
  /v1/sys/mfa/validate
  /v1/sys/rekey-recovery-key/init
  /v1/sys/rekey-recovery-key/update
  /v1/sys/rekey-recovery-key/verify
  /v1/sys/rekey/init
  /v1/sys/rekey/update
  /v1/sys/rekey/verify
  /v1/sys/replication/dr/status
  /v1/sys/replication/performance/status
  /v1/sys/replication/status
  /v1/sys/seal-status
  /v1/sys/unseal
  /v1/sys/wrapping/lookup
  /v1/sys/wrapping/pubkey
`

test('S45 what answers without a token is this list and no other', async () => {
  const wanted = OPEN.trim().split(/\s*\n\s*/)
  deepEqual(openEndpoints(await everyEngine()).sort(), wanted)
})
