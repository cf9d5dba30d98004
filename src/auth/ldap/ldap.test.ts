import { deepEqual, equal, ok, rejects } from 'node:assert/strict'
import { createServer, type AddressInfo } from 'node:net'
import { after, before, test } from 'node:test'
import { ADMIN, NO_SLAPD, type Slapd, startSlapd, SUFFIX } from '../../../test/support/slapd.ts'
import { dataOf, memoryEntries, testEngine } from '../../../test/support/test-engine.ts'
import { type Call } from '../../kit/kit.ts'
import ldap from './engine.ts'
import { loginEndpoint, renewLogin } from './login.ts'

const skip = NO_SLAPD
const REFUSED = { status: 400, message: 'ldap operation failed: failed to bind as user' }
const UNREACHED = {
  status: 500,
  message: 'ldap operation failed: the directory cannot be reached',
}
/** Everything that means something in a filter or a name. */
const HOSTILE = String.raw`*)(uid=bob,"+;<>\#`
const base64 = (text: string) => Buffer.from(text).toString('base64')
const hostileDn = String.raw`uid=*)(uid\=bob\,\"\+\;\<\>\\#,ou=people,${SUFFIX}`

const person = (uid: string, more = '') =>
  `dn: uid=${uid},ou=people,${SUFFIX}
objectClass: inetOrgPerson
uid: ${uid}
cn: ${uid} person
sn: person
userPassword: ${uid}-password
${more}
`
const LDIF = `dn: ou=people,${SUFFIX}
objectClass: organizationalUnit
ou: people

dn: ou=groups,${SUFFIX}
objectClass: organizationalUnit
ou: groups

${person('Alice', 'mail: alice@example.com')}
${person('bob', 'mail: shared@example.com')}
${person('carol', 'mail: shared@example.com')}
dn:: ${base64(hostileDn)}
objectClass: inetOrgPerson
uid:: ${base64(HOSTILE)}
cn: hostile
sn: person
userPassword: hostile-password

dn: cn=Engineers,ou=groups,${SUFFIX}
objectClass: groupOfNames
cn: Engineers
member: uid=Alice,ou=people,${SUFFIX}
member:: ${base64(hostileDn)}

dn: cn=posix,ou=groups,${SUFFIX}
objectClass: posixGroup
cn: posix
gidNumber: 1
memberUid: alice
memberUid: bob
`

let slapd: Slapd
before(async () => {
  if (!skip) slapd = await startSlapd(LDIF)
})
after(async () => {
  if (!skip) await slapd[Symbol.asyncDispose]()
})

const people = () => ({
  url: slapd.url,
  userdn: `ou=people,${SUFFIX}`,
  userattr: 'uid',
  groupdn: `ou=groups,${SUFFIX}`,
})
const searching = () => ({ ...people(), binddn: ADMIN.dn, bindpass: ADMIN.password })

async function engineWith(
  config: Record<string, unknown>,
  options: { remoteAddress?: string } = {},
) {
  const engine = testEngine(ldap, options)
  await engine.write('config', config)
  const logIn = async (name: string, password: string) =>
    (await engine.write(`login/${name}`, { password }))?.login
  return { engine, logIn }
}

const WAYS = [
  ['bound directly', people],
  ['searched with binddn', searching],
  ['searched without a bind', () => ({ ...people(), discoverdn: true })],
] as const

for (const [way, config] of WAYS) {
  test(`login refuses a wrong password and an unknown user alike: ${way}`, { skip }, async () => {
    const { logIn } = await engineWith(config())
    const pairs = [
      ['alice', 'wrong'],
      ['alice', 'bob-password'],
      ['nobody', 'wrong'],
      ['nobody', 'Alice-password'],
      ['*', 'Alice-password'],
      ['alice\u200b', 'Alice-password'],
      ['alice,ou=people', 'Alice-password'],
      ['alice)(uid=*', 'Alice-password'],
      ['alice)(|(uid=*', 'Alice-password'],
      ['al*ce', 'Alice-password'],
      [HOSTILE, 'bob-password'],
    ] as const
    for (const [name, password] of pairs) {
      await rejects(logIn(name, password), REFUSED, name)
    }
  })

  test(`login with an empty password is refused unasked: ${way}`, { skip }, async () => {
    const { logIn } = await engineWith({ ...config(), deny_null_bind: false })
    const message = 'password cannot be of zero length when passwordless binds are being denied'
    for (const name of ['alice', 'nobody']) {
      await rejects(logIn(name, ''), { status: 400, message })
    }
  })

  test(`login finds the user and the groups: ${way}`, { skip }, async () => {
    const { logIn } = await engineWith({ ...config(), token_policies: 'base', token_ttl: 60 })
    const grant = await logIn('alice', 'Alice-password')
    deepEqual([grant?.alias, grant?.displayName], ['Alice', 'alice'])
    deepEqual(grant?.metadata, { username: 'alice' })
    deepEqual(grant?.aliasMetadata, { name: 'alice' })
    deepEqual([...(grant?.groups ?? [])].sort(), ['Engineers', 'posix'])
    deepEqual([grant?.token.policies, grant?.token.ttlSeconds], [['base'], 60])
    ok(!JSON.stringify(grant).includes('password'))
    deepEqual((await logIn('bob', 'bob-password'))?.groups, ['posix'])
    deepEqual((await logIn('carol', 'carol-password'))?.groups, [])
  })

  test(`a name of nothing but special characters is a name: ${way}`, { skip }, async () => {
    const { logIn } = await engineWith(config())
    const grant = await logIn(HOSTILE, 'hostile-password')
    deepEqual([grant?.alias, grant?.groups], [HOSTILE, ['Engineers']])
    await rejects(logIn(HOSTILE, 'wrong'), REFUSED)
  })
}

test('login with all spellings of a name is one login', { skip }, async () => {
  for (const alias of [false, true]) {
    const { logIn } = await engineWith({ ...searching(), username_as_alias: alias })
    const names = ['alice', 'ALICE', ' alice', 'alice ', 'ａｌｉｃｅ', 'Alice\t']
    const aliases = await Promise.all(
      names.map(async (name) => (await logIn(name, 'Alice-password'))?.alias),
    )
    deepEqual(new Set(aliases), new Set([alias ? 'alice' : 'Alice']))
    for (const name of names) {
      const call = { data: { username: name, password: 'x' } } as unknown
      equal(loginEndpoint.userOf?.(call as Call<never>), 'alice')
    }
  }
})

test('where case counts, a name is spelled as the directory has it', { skip }, async () => {
  for (const config of [people, searching]) {
    const { logIn } = await engineWith({ ...config(), case_sensitive_names: true })
    equal((await logIn('Alice', 'Alice-password'))?.metadata['username'], 'Alice')
    for (const name of ['alice', 'ALICE']) await rejects(logIn(name, 'Alice-password'), REFUSED)
  }
})

test('a filter that fits two lets in neither', { skip }, async () => {
  const { logIn } = await engineWith({ ...searching(), userfilter: '(mail={{.Username}})' })
  await rejects(logIn('shared@example.com', 'bob-password'), REFUSED)
  equal((await logIn('alice@example.com', 'Alice-password'))?.alias, 'Alice')
  const none = await engineWith({ ...searching(), userfilter: '(&(uid={{.Username}})(sn=no))' })
  await rejects(none.logIn('alice', 'Alice-password'), REFUSED)
})

test('users and groups that are known here add groups and policies', { skip }, async () => {
  const { engine, logIn } = await engineWith(people())
  await engine.write('groups/ENGINEERS', { policies: 'eng' })
  await engine.write('groups/local', { policies: 'local' })
  await engine.write('users/Alice', { policies: 'hers', groups: 'local' })
  const grant = await logIn('alice', 'Alice-password')
  deepEqual(grant?.token.policies, ['eng', 'hers', 'local'])
  deepEqual([...(grant?.groups ?? [])].sort(), ['Engineers', 'local', 'posix'])
  const reply = await engine.write('login/carol', { password: 'carol-password' })
  deepEqual(reply?.warnings, [
    `no LDAP groups found in groupDN "ou=groups,${SUFFIX}"; only policies from locally-defined` +
      ' groups available',
  ])
})

test(
  'groups are searched as nobody, by pages, or by the name in another attribute',
  { skip },
  async () => {
    for (const more of [
      { anonymous_group_search: true },
      { max_page_size: 1 },
      { groupattr: 'description' },
    ]) {
      const { logIn } = await engineWith({ ...people(), ...more })
      const grant = await logIn('alice', 'Alice-password')
      deepEqual([...(grant?.groups ?? [])].sort(), ['Engineers', 'posix'], JSON.stringify(more))
    }
  },
)

test('login over TLS trusts only the authority it was told of', { skip }, async () => {
  const secure = { ...people(), url: slapd.secureUrl }
  const upgraded = { ...people(), starttls: true }
  for (const config of [secure, upgraded]) {
    const strange = await engineWith(config)
    await rejects(strange.logIn('alice', 'Alice-password'), UNREACHED)
    const named = await engineWith({
      ...config,
      url: config.url.replace('127.0.0.1', 'localhost'),
      certificate: slapd.ca,
    })
    await rejects(named.logIn('alice', 'Alice-password'), UNREACHED)
    const known = await engineWith({ ...config, certificate: slapd.ca, tls_max_version: 'tls13' })
    ok(await known.logIn('alice', 'Alice-password'))
    const open = await engineWith({ ...config, insecure_tls: true })
    ok(await open.logIn('alice', 'Alice-password'))
  }
})

test('login takes the first server that answers', { skip }, async () => {
  const { logIn } = await engineWith({ ...people(), url: `ldap://127.0.0.1:1,${slapd.url}` })
  ok(await logIn('alice', 'Alice-password'))
})

test(
  'the alias is what the directory has under userattr, and must be there',
  { skip },
  async () => {
    const userfilter = '(uid={{.Username}})'
    const { logIn } = await engineWith({ ...searching(), userattr: 'mail', userfilter })
    equal((await logIn('alice', 'Alice-password'))?.alias, 'alice@example.com')
    await rejects(logIn(HOSTILE, 'hostile-password'), {
      status: 400,
      message: 'missing entity alias attribute value',
    })
  },
)

test(
  'login from an address that the token could not be used from is refused',
  { skip },
  async () => {
    const options = { remoteAddress: '10.1.0.1' }
    const { logIn } = await engineWith({ ...people(), token_bound_cidrs: '10.0.0.0/8' }, options)
    ok(await logIn('alice', 'Alice-password'))
    options.remoteAddress = '11.0.0.1'
    await rejects(logIn('alice', 'Alice-password'), { status: 403 })
    // From the wrong address, a wrong password still learns nothing.
    await rejects(logIn('alice', 'wrong'), REFUSED)
  },
)

test('a directory without tokenGroups has no groups to tell', { skip }, async () => {
  const { logIn } = await engineWith({ ...people(), use_token_groups: true })
  deepEqual((await logIn('alice', 'Alice-password'))?.groups, [])
})

test('a wrong bindpass is told apart from a wrong password', { skip }, async () => {
  const { logIn } = await engineWith({ ...searching(), bindpass: 'wrong' })
  const message = 'ldap operation failed: failed to bind with binddn'
  await rejects(logIn('alice', 'Alice-password'), { status: 400, message })
})

test(
  'renewLogin() asks the directory where it can, and never for the password',
  { skip },
  async () => {
    const { engine, logIn } = await engineWith({ ...searching(), token_ttl: 60 })
    await engine.write('groups/engineers', { policies: 'eng' })
    const internal = (await logIn('bob', 'bob-password'))?.internal ?? {}
    const renew = () =>
      renewLogin({ store: memoryEntries(engine.entries()), once: (_key, work) => work() }, internal)
    equal((await renew())?.ttlSeconds, 60)
    const group = [`cn=Engineers,ou=groups,${SUFFIX}`, `uid=bob,ou=people,${SUFFIX}`] as const
    await slapd.member('add', ...group)
    await rejects(renew(), { status: 400, message: /policies have changed/ })
    await slapd.member('delete', ...group)
    ok(await renew())
    const gone = { ...internal, username: 'nobody' }
    equal(
      await renewLogin(
        { store: memoryEntries(engine.entries()), once: (_key, work) => work() },
        gone,
      ),
      undefined,
    )
    // Bound directly, nobody can be asked; what is known here is still asked.
    await engine.write('config', { binddn: '', bindpass: '' })
    ok(await renew())
    await engine.write('users/bob', { policies: 'more' })
    await rejects(renew(), { status: 400, message: /policies have changed/ })
  },
)

test('a directory that is not there, says nothing or nonsense is a 500 without a value', async () => {
  const silent = createServer()
  const nonsense = createServer((socket) => {
    socket.on('error', () => {})
    socket.end('HTTP/1.1 400 Bad Request\r\n\r\n')
  })
  const open = createServer((socket) => socket.destroy())
  const all = [silent, nonsense, open]
  await Promise.all(
    all.map((server) => new Promise<void>((done) => server.listen(0, '127.0.0.1', done))),
  )
  const sockets = new Set<{ destroy(): void }>()
  silent.on('connection', (socket) => sockets.add(socket))
  try {
    const urls = all.map((server) => `ldap://127.0.0.1:${(server.address() as AddressInfo).port}`)
    for (const url of ['ldap://127.0.0.1:1', ...urls]) {
      for (const starttls of [false, true]) {
        const { logIn } = await engineWith({
          url,
          starttls,
          userdn: SUFFIX,
          connection_timeout: 1,
          request_timeout: 1,
        })
        await rejects(logIn('alice', 'Alice-password'), UNREACHED, url)
      }
    }
  } finally {
    for (const socket of sockets) socket.destroy()
    for (const server of all) server.close()
  }
})

test('login before the method is configured says so, which is no guess', async () => {
  await rejects(testEngine(ldap).write('login/alice', { password: 'x' }), {
    status: 400,
    message: 'ldap backend not configured',
    guessed: false,
  })
})

test('the settings are refused when they cannot work', async () => {
  const engine = testEngine(ldap)
  const rows: [Record<string, unknown>, RegExp][] = [
    [{ url: 'http://example.com' }, /ldap:\/\//],
    [{ url: 'ldapi:///run/slapd' }, /ldap:\/\//],
    [{ url: '' }, /ldap:\/\//],
    [{ tls_min_version: 'cats' }, /invalid 'tls_min_version'/],
    [{ tls_max_version: 'tls11' }, /greater than or equal/],
    [{ client_tls_cert: 'x' }, /both client_tls_cert and client_tls_key must be set/],
    [{ client_tls_key: 'x' }, /both client_tls_cert and client_tls_key must be set/],
    [{ certificate: 'x' }, /'certificate' must be PEM/],
    [{ client_tls_cert: 'x', client_tls_key: 'y' }, /must be PEM/],
    [{ userfilter: '({{.Password}}=x)' }, /userfilter/],
    [{ groupfilter: '(x={{.UserAttr}})' }, /groupfilter/],
    [{ userattr: 'uid)(x' }, /userattr/],
    [{ token_policies: 'root' }, /root tokens/],
  ]
  for (const [body, message] of rows) {
    await rejects(engine.write('config', body), { status: 400, message }, JSON.stringify(body))
  }
  equal(engine.entries().size, 0)
})

test('the settings are read back with their defaults, and nothing that is secret', async () => {
  const engine = testEngine(ldap)
  const defaults = dataOf(await engine.read('config'))
  deepEqual(
    [defaults['url'], defaults['userattr'], defaults['request_timeout'], defaults['userdn']],
    ['ldap://127.0.0.1', 'cn', 90, ''],
  )
  const body = { binddn: 'cn=x', bindpass: 'canary', userattr: 'UID', token_ttl: 60 }
  equal(await engine.write('config', body), undefined)
  await engine.write('config', { request_timeout: '10s' })
  const read = dataOf(await engine.read('config'))
  deepEqual(
    [read['binddn'], read['userattr'], read['request_timeout'], read['token_ttl']],
    ['cn=x', 'uid', 10, 60],
  )
  deepEqual(Object.keys(read).sort(), Object.keys(defaults).sort())
  ok(
    !JSON.stringify(read).includes('canary') &&
      !('bindpass' in read) &&
      !('client_tls_key' in read),
  )
})

test('users and groups are written, listed and read by any spelling', async () => {
  const engine = testEngine(ldap)
  await engine.write('groups/Domain Admins', { policies: 'B,a' })
  await engine.write('users/Alice', { groups: 'x, y' })
  deepEqual(dataOf(await engine.read('groups/domain  admins')), { policies: ['a', 'b'] })
  deepEqual(dataOf(await engine.read('users/ALICE')), { policies: [], groups: 'x,y' })
  deepEqual(dataOf(await engine.list('groups')), { keys: ['domain admins'] })
  deepEqual(dataOf(await engine.list('users')), { keys: ['alice'] })
  await rejects(engine.write('groups/x', { policies: 'Root' }), { status: 400 })
  await rejects(engine.write('users/a\u200b', {}), { status: 400 })
  await engine.delete('groups/DOMAIN ADMINS')
  await engine.delete('users/alice')
  equal(await engine.read('groups/domain admins'), undefined)
  equal(await engine.read('users/alice'), undefined)
})
