// https://nvd.nist.gov/vuln/detail/CVE-2024-9180 and CVE-2025-5999: names that became `root` only
// after they had been compared with it.
import { deepEqual, equal, ok } from 'node:assert/strict'
import { test } from 'node:test'
import fc from 'fast-check'
import { testCore } from '../../../test/support/test-core.ts'
import { listed, matchesGlob, policyNames, withDefault } from './policy-names.ts'

const VARIANTS = [
  'root',
  'Root',
  'ROOT',
  'rOOt',
  ' root',
  'root ',
  '  ROOT  ',
  '\troot',
  'root\n',
  '\r\nroot',
  '\u00a0root',
  'root\u00a0',
  '\u2003root',
  '\u3000root',
  '\ufeffroot',
  'root\u200b',
  'ro\u200bot',
  'ro\u200dot',
  'ro\u00adot',
  'ro\u2060ot',
  'root\0',
  '\0root',
  'root\u0007',
  'root\u007f',
  'root\u0085',
  '\u2028root',
  '\u202eroot',
  'ｒｏｏｔ',
  'ＲＯＯＴ',
  'ｒoot',
  '𝐫𝐨𝐨𝐭',
  '𝖗𝖔𝖔𝖙',
  'ⓡⓞⓞⓣ',
  'ʳoot',
  'rºot',
  'r\u043e\u043et',
  'rοοt',
  'r%6fot',
  '%72%6f%6f%74',
  'root/',
  '/root',
  './root',
  'x/../root',
  'root/.',
  '\\u0072oot',
  'root,root',
  'root;root',
  'r\u034foot',
  'root\ufe0f',
  '\u{e0072}root',
]

async function house() {
  const core = await testCore()
  const { ask } = core
  const policy =
    'path "*" { capabilities = ["create", "read", "update", "delete", "list", "sudo"] }'
  await ask('write', 'sys/policies/acl/boss', { policy })
  const made = await ask('write', 'auth/token/create', { policies: ['boss'] })
  const { client_token: token } = made.body['auth'] as { client_token: string }
  return { ...core, token }
}

type Ask = Awaited<ReturnType<typeof house>>['ask']

/** What the answer, and the token it gave, can do: nothing that root alone could. */
async function notRoot(ask: Ask, answer: { status: number; body: object }, what: string) {
  if (answer.status !== 200) return equal(answer.status, 400, what)
  const { auth } = answer.body as { auth: { client_token: string; policies: string[] } }
  ok(!auth.policies.includes('root'), what)
  const { body, status } = await ask('read', 'kv1/probe', {}, { token: auth.client_token })
  equal(status, 403, `${what}: ${JSON.stringify(body)}`)
}

test('no spelling of root makes a root token of one with sudo on everything', async () => {
  const { ask, token } = await house()
  await ask('write', 'kv1/probe', { a: 'b' })
  ok(VARIANTS.length >= 40)
  for (const name of VARIANTS) {
    const shapes: Record<string, unknown>[] = [
      { policies: [name] },
      { policies: name },
      { policies: [name, name] },
      { policies: [name], type: 'batch' },
      { policies: [name], no_default_policy: true },
      { policies: [name], no_parent: true, period: '1h' },
    ]
    for (const data of shapes) {
      for (const path of ['auth/token/create', 'auth/token/create-orphan']) {
        const what = `${path} ${JSON.stringify(data)}`
        await notRoot(ask, await ask('write', path, data, { token }), what)
      }
    }
  }
})

test('no spelling of root gets through a role', async () => {
  const { ask, token } = await house()
  await ask('write', 'kv1/probe', { a: 'b' })
  const none = { allowed_policies: [], allowed_policies_glob: [], disallowed_policies: [] }
  for (const name of VARIANTS) {
    for (const lists of [
      { allowed_policies: [name] },
      { allowed_policies_glob: [name] },
      { allowed_policies_glob: ['*'] },
      { disallowed_policies: ['other'] },
      {},
    ]) {
      const role = { ...none, ...lists, orphan: true }
      const wrote = await ask('write', 'auth/token/roles/r', role, { token })
      if (wrote.status !== 204) {
        equal(wrote.status, 400)
        continue
      }
      for (const data of [{}, { policies: [name] }, { policies: [name], type: 'batch' }]) {
        const what = JSON.stringify({ lists, data })
        // Without a list and without names the parent's own policies are inherited: not root, but all.
        if (!('policies' in data) && !('allowed_policies' in lists)) continue
        await notRoot(ask, await ask('write', 'auth/token/create/r', data, { token }), what)
      }
    }
  }
})

test('no spelling of root makes a batch token, even for root', async () => {
  const { ask } = await house()
  for (const name of VARIANTS) {
    const data = { policies: [name], type: 'batch' }
    const answer = await ask('write', 'auth/token/create', data)
    if (answer.status === 200) {
      const { policies } = answer.body['auth'] as { policies: string[] }
      ok(!policies.includes('root'))
    } else equal(answer.status, 400)
  }
})

test('for root, what is trimmed and lower-cased to root is root, and stands alone', async () => {
  const { ask } = await house()
  for (const name of ['root', ' ROOT ', 'Root\n']) {
    const { body } = await ask('write', 'auth/token/create', { policies: [name, 'web'] })
    deepEqual((body['auth'] as { policies: string[] }).policies, ['root'])
  }
})

test('policyNames() refuses a name it cannot make canonical, without repeating it', () => {
  for (const name of ['', ' ', 'a\u200b', 'ａ', '../a', 'x'.repeat(600)]) {
    let text = ''
    try {
      policyNames(['fine', name])
    } catch (error) {
      text = (error as Error).message
    }
    ok(text.startsWith('policy name'), JSON.stringify(name))
    ok(name.trim() === '' || !text.includes(name))
  }
})

test('policyNames() gives the same when asked again', () => {
  fc.assert(
    fc.property(fc.array(fc.string({ unit: 'binary' })), (names) => {
      let once: string[]
      try {
        once = policyNames(names)
      } catch {
        return
      }
      deepEqual(policyNames(once), once)
      deepEqual(
        once.filter((name) => name.trim().toLowerCase() === 'root' && name !== 'root'),
        [],
      )
    }),
    { numRuns: 2000 },
  )
})

test('withDefault() leaves root alone', () => {
  deepEqual(withDefault(['a', 'root'], true), ['root'])
  deepEqual(withDefault(['b', 'a', 'b'], true), ['a', 'b', 'default'])
  deepEqual(withDefault([], false), [])
})

test('matchesGlob() agrees with a regular expression', () => {
  const text = fc.string({ unit: fc.constantFrom('a', 'b', '*', '.'), maxLength: 10 })
  fc.assert(
    fc.property(text, text, (pattern, name) => {
      const parts = pattern.split('*').map((part) => part.replaceAll('.', '\\.'))
      equal(matchesGlob(pattern, name), new RegExp(`^${parts.join('.*')}$`, 's').test(name))
    }),
    { numRuns: 5000 },
  )
  equal(listed('web-1', ['web'], ['web-*']), true)
  equal(listed('we', ['web'], ['web-*']), false)
})
