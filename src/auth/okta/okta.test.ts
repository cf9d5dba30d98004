import { deepEqual, equal, ok, rejects } from 'node:assert/strict'
import { test } from 'node:test'
import { dataOf, testEngine } from '../../../test/support/test-engine.ts'
import { type Ask, type Outbound } from '../../lib/outbound.ts'
import { oktaEngine } from './engine.ts'

const refused = (message: string | RegExp, status = 400) => ({ status, message })
const URL = 'https://acme.okta.com'

type Answer = { status?: number; body: unknown; link?: string }
type Fake = { asked: Ask[]; routes: Record<string, (body: Record<string, unknown>) => Answer> }

const USER = { _embedded: { user: { id: 'u1' } } }

/** A fake Okta with the user ann, whose password is `right`. */
function fakeOkta(): Fake & { send: Outbound } {
  const fake: Fake = {
    asked: [],
    routes: {
      [`${URL}/api/v1/authn`]: ({ username, password }) =>
        username === 'ann' && password === 'right'
          ? { body: { status: 'SUCCESS', ...USER } }
          : { status: 401, body: { errorSummary: 'canary' } },
      [`${URL}/api/v1/users/u1/groups?limit=200`]: () => ({
        body: [{ profile: { name: 'Everyone' } }, { profile: {} }],
        link: `<${URL}/api/v1/users/u1/groups?after=1>; rel="next"`,
      }),
      [`${URL}/api/v1/users/u1/groups?after=1`]: () => ({ body: [{ profile: { name: 'Devs' } }] }),
    },
  }
  const send: Outbound = async (ask) => {
    fake.asked.push(ask)
    const body = ask.body === undefined ? {} : (JSON.parse(ask.body) as Record<string, unknown>)
    const answer = fake.routes[ask.url]?.(body) ?? { status: 404, body: '' }
    return {
      status: answer.status ?? 200,
      text: JSON.stringify(answer.body),
      header: (name) => (name === 'link' ? answer.link : undefined),
    }
  }
  return Object.assign(fake, { send })
}

async function start(config: Record<string, unknown> = {}) {
  const fake = fakeOkta()
  const engine = testEngine(oktaEngine(fake.send))
  await engine.write('config', { org_name: 'acme', api_token: 'api-canary', ...config })
  const logIn = async (body: Record<string, unknown> = {}, name = 'Ann') =>
    (await engine.write(`login/${name}`, { password: 'right', ...body }))?.login
  return { fake, engine, logIn }
}

test('config takes what can be a part of an address, and nothing else', async () => {
  const engine = testEngine(oktaEngine(fakeOkta().send))
  await rejects(engine.write('config', {}), refused('org_name is missing'))
  for (const org_name of ['a/b', 'evil.example/', 'a@b', 'a b', '-a', 'a.b']) {
    await rejects(engine.write('config', { org_name }), refused(/^org_name is not/))
  }
  for (const base_url of ['https://okta.com', 'okta.com/x', 'a@b', 'okta.com?x']) {
    await rejects(engine.write('config', { org_name: 'a', base_url }), refused(/^base_url is not/))
  }
  equal(engine.entries().size, 0)
  equal(await engine.read('config'), undefined)
  await rejects(
    engine.write('login/a', { password: 'x' }),
    refused('Okta auth method not configured'),
  )
})

test('config reads back without the token', async () => {
  const { engine } = await start({ base_url: 'oktapreview.com', ttl: 60 })
  const config = dataOf(await engine.read('config'))
  deepEqual(
    [config['org_name'], config['organization'], config['base_url'], config['bypass_okta_mfa']],
    ['acme', 'acme', 'oktapreview.com', false],
  )
  deepEqual([config['token_ttl'], config['ttl']], [60, 60])
  ok(!JSON.stringify(config).includes('canary'))
  await engine.write('config', { organization: 'other', token: 'second-canary' })
  equal(dataOf(await engine.read('config'))['org_name'], 'other')
})

test('users and groups read back, in any case of their name', async () => {
  const { engine } = await start()
  await engine.write('users/Ann@Example.com', { policies: 'a', groups: 'g' })
  deepEqual(dataOf(await engine.read('users/ann@example.com')), { policies: ['a'], groups: ['g'] })
  await engine.write('groups/Devs', {})
  deepEqual(dataOf(await engine.read('groups/devs')), { policies: [] })
  deepEqual(dataOf(await engine.list('groups')), { keys: ['devs'] })
  await engine.delete('groups/devs')
  equal(await engine.read('groups/devs'), undefined)
})

test('with a fake Okta, a login that Okta does not like is refused without its words', async () => {
  const { engine, logIn, fake } = await start()
  await rejects(engine.write('login/ann', {}), refused('missing password'))
  equal(fake.asked.length, 0)
  await rejects(logIn({ password: 'wrong' }), refused('okta auth failed'))
  await rejects(logIn({}, 'bob'), refused('okta auth failed'))
  const authn = `${URL}/api/v1/authn`
  const rows: [Answer, string | RegExp][] = [
    [{ body: { status: 'LOCKED_OUT' } }, 'okta auth failed: the user is locked out'],
    [{ body: { status: 'PASSWORD_EXPIRED' } }, 'okta auth failed: the password is expired'],
    [{ body: { status: 'MFA_ENROLL', ...USER } }, 'okta auth failed'],
    [{ body: { status: 'MFA_REQUIRED', ...USER } }, /a second factor is required/],
    [{ body: { status: 'SUCCESS' } }, 'okta auth failed: the server did not tell a user'],
    [{ body: [] }, 'okta auth failed: the server did not answer with an object'],
    [{ status: 500, body: 'canary' }, 'okta auth failed: the server answered with status 500'],
  ]
  for (const [answer, message] of rows) {
    fake.routes[authn] = () => answer
    await rejects(logIn(), refused(message))
  }
  await rejects(
    engine.read('verify/abc'),
    refused('push with a number to compare is not supported by this build'),
  )
})

test('with a fake Okta, a login has the policies of its groups and its user', async () => {
  const { engine, logIn, fake } = await start({ token_policies: 'base' })
  await engine.write('groups/devs', { policies: 'dev,root' })
  await engine.write('groups/ours', { policies: 'ours' })
  await engine.write('groups/other', { policies: 'wrong' })
  await engine.write('users/ann', { policies: 'hers', groups: 'ours' })
  const grant = await logIn()
  deepEqual(grant?.token.policies, ['base', 'dev', 'hers', 'ours'])
  deepEqual([grant?.alias, grant?.groups], ['ann', ['Everyone', 'Devs', 'ours']])
  ok(fake.asked.every(({ url }) => url.startsWith(`${URL}/`)))
  // The token for groups is not shown where passwords are checked, and the other way round.
  equal(fake.asked[0]?.headers?.['authorization'], undefined)
  equal(fake.asked[1]?.headers?.['authorization'], 'SSWS api-canary')

  fake.routes[`${URL}/api/v1/users/u1/groups?limit=200`] = () => ({
    body: [],
    link: '<https://evil.example/x>; rel="next"',
  })
  await rejects(logIn(), refused('okta auth failed: the server was sent on to another server'))
})

test('with a fake Okta, a second factor is a code, or is not asked for', async () => {
  const { engine, logIn, fake } = await start()
  const factors = [{ id: 'f1', factorType: 'token:software:totp', provider: 'OKTA' }]
  const embedded = { _embedded: { ...USER._embedded, factors } }
  fake.routes[`${URL}/api/v1/authn`] = () => ({
    body: { status: 'MFA_REQUIRED', stateToken: 's', ...embedded },
  })
  fake.routes[`${URL}/api/v1/authn/factors/f1/verify`] = ({ passCode, stateToken }) =>
    passCode === '123456' && stateToken === 's'
      ? { body: { status: 'SUCCESS', ...USER } }
      : { status: 403, body: {} }
  await rejects(logIn(), refused(/a second factor is required/))
  await rejects(logIn({ totp: '000000' }), refused('okta auth failed'))
  equal((await logIn({ totp: '123456' }))?.alias, 'ann')
  await engine.write('config', { bypass_okta_mfa: true })
  equal((await logIn())?.alias, 'ann')
})
