import { deepEqual, equal, match, ok, rejects } from 'node:assert/strict'
import { after, test } from 'node:test'
import { dataOf, testEngine } from '../../../test/support/test-engine.ts'
import { webServer, type WebRequest, type WebServer } from '../../../test/support/web-server.ts'
import { type Call } from '../../kit/kit.ts'
import github from './engine.ts'
import { renewLogin } from './login.ts'

const refused = (message: string | RegExp, status = 400) => ({ status, message })

type Fake = { web: WebServer; teams: unknown[]; organizations: unknown[] }

/** A fake GitHub with one user, whose token is `good`. */
async function fakeGithub(): Promise<Fake> {
  const web = await webServer({})
  after(() => web.close())
  const fake: Fake = {
    web,
    organizations: [{ id: 7 }],
    teams: [
      { name: 'Web Team', slug: 'web-team', organization: { id: 7 } },
      { name: 'Elsewhere', slug: 'elsewhere', organization: { id: 8 } },
    ],
  }
  const known =
    (body: () => unknown) =>
    ({ headers }: WebRequest) =>
      headers.authorization === 'Bearer good' ? { body: body() } : { status: 401, body: 'canary' }
  Object.assign(web.routes, {
    '/api/orgs/acme': () => ({ body: { id: 7 } }),
    '/api/user': known(() => ({ login: 'Ann' })),
    '/api/user/orgs': known(() => fake.organizations),
    '/api/user/teams': known(() => fake.teams),
  })
  return fake
}

async function start(config: Record<string, unknown> = {}) {
  const fake = await fakeGithub()
  const engine = testEngine(github)
  await engine.write('config', {
    organization: 'acme',
    base_url: `${fake.web.url}/api`,
    token_policies: 'base',
    ...config,
  })
  const logIn = async (token = 'good') => (await engine.write('login', { token }))?.login
  return { fake, engine, logIn }
}

test('config needs an organization that is there', async () => {
  const engine = testEngine(github)
  await rejects(engine.write('config', {}), refused('organization is a required parameter'))
  await rejects(
    engine.write('config', { organization: 'a', base_url: 'file:///etc' }),
    refused('error parsing given base_url: expected an address'),
  )
  await rejects(
    engine.write('config', { organization: 'a', base_url: 'http://127.0.0.1:1' }),
    refused(/^unable to fetch the organization_id, you must manually set it in the config: /),
  )
  await rejects(engine.write('login', { token: 'x' }), refused('configuration has not been set'))
  equal(engine.entries().size, 0)
})

test('config reads back with the id of the organization, from a fake GitHub', async () => {
  const { engine, fake } = await start({ ttl: '500s' })
  deepEqual(dataOf(await engine.read('config')), {
    base_url: `${fake.web.url}/api`,
    organization: 'acme',
    organization_id: 7,
    token_bound_cidrs: [],
    token_explicit_max_ttl: 0,
    token_max_ttl: 0,
    token_no_default_policy: false,
    token_num_uses: 0,
    token_period: 0,
    token_policies: ['base'],
    token_ttl: 500,
    token_type: 'default',
    ttl: 500,
  })
  const asked = fake.web.asked.length
  await engine.write('config', { token_ttl: 60 })
  await engine.write('config', { organization: 'other', organization_id: 9 })
  equal(fake.web.asked.length, asked)
  equal(dataOf(await engine.read('config'))['organization_id'], 9)
})

test('mappings read back as they were written, in any case of their name', async () => {
  const { engine } = await start()
  equal(await engine.read('map/teams'), undefined)
  deepEqual(dataOf(await engine.read('map/teams/none')), {})
  await engine.write('map/teams/Web-Team', { value: 'a,b' })
  deepEqual(dataOf(await engine.read('map/teams/web-team')), { key: 'Web-Team', value: 'a,b' })
  deepEqual(dataOf(await engine.list('map/teams')), { keys: ['web-team'] })
  deepEqual(dataOf(await engine.read('map/teams')), { keys: ['web-team'] })
  await engine.delete('map/teams/WEB-TEAM')
  deepEqual(dataOf(await engine.read('map/teams/web-team')), {})
})

test('with a fake GitHub, whoever is not of the organization is refused', async () => {
  const { engine, logIn, fake } = await start()
  await rejects(engine.write('login', {}), refused('missing token'))
  await rejects(logIn('a\r\nX-Admin: 1'), refused('token has characters that no token has'))
  await rejects(logIn('canary'), (error: Error) => {
    equal(error.message, 'error asking GitHub: it answered with status 401')
    return true
  })
  for (const organizations of [[{ id: 8 }], [], [{ login: 'acme' }], [{ id: '7' }]]) {
    fake.organizations = organizations
    await rejects(logIn(), refused('user is not part of required org', 500))
  }
  fake.web.routes['/api/user/orgs'] = () => ({ body: '' })
  await rejects(logIn(), refused('user is not part of required org', 500))
  fake.web.routes['/api/user/orgs'] = () => ({
    body: [],
    headers: { link: '<http://127.0.0.1:1/x>; rel="next"' },
  })
  await rejects(logIn(), refused('error asking GitHub: it was sent on to another server'))
})

test('with a fake GitHub, a login has the policies of its teams and its user', async () => {
  const { engine, logIn, fake } = await start()
  await engine.write('map/teams/web-team', { value: 'web,root' })
  await engine.write('map/teams/elsewhere', { value: 'wrong' })
  await engine.write('map/teams/default', { value: 'all' })
  await engine.write('map/users/ann', { value: 'hers' })
  await engine.write('map/users/bob', { value: 'wrong' })
  const grant = await logIn()
  deepEqual(grant?.token.policies, ['all', 'base', 'hers', 'web'])
  deepEqual([grant?.alias, grant?.groups], ['Ann', ['Web Team', 'web-team']])
  deepEqual(grant?.metadata, { username: 'Ann', org: 'acme' })
  ok(!JSON.stringify(grant?.metadata).includes('good'))

  // A second page counts too.
  const { url } = fake.web
  fake.web.routes['/api/user/orgs'] = ({ url: asked }) =>
    asked.searchParams.get('page') === '2'
      ? { body: [{ id: 7 }] }
      : { body: [], headers: { link: `<${url}/api/user/orgs?page=2>; rel="next"` } }
  ok(await logIn())
  fake.web.routes['/api/user/orgs'] = () => ({
    body: [],
    headers: { link: `<${url}/api/user/orgs>; rel="next"` },
  })
  await rejects(logIn(), refused('error asking GitHub: it answered with too many pages'))
})

test('with a fake GitHub, who has left the organization is not renewed', async () => {
  const { engine, logIn, fake } = await start()
  const grant = await logIn()
  const call = {
    store: { get: async (key: string) => engine.entries().get(key) },
    remoteAddress: '127.0.0.1',
    once: (_key: unknown, work: () => unknown) => work(),
  } as unknown as Call<Record<string, never>>
  const renew = () => renewLogin(call, grant?.internal ?? {})
  equal((await renew())?.policies.join(), 'base')
  await engine.write('map/users/ann', { value: 'more' })
  await rejects(renew(), (error: Error) => {
    match(error.message, /policies have changed/)
    return true
  })
  await engine.delete('map/users/ann')
  fake.organizations = []
  await rejects(renew(), refused('user is not part of required org', 500))
})
