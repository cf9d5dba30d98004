import { deepEqual, equal, ok } from 'node:assert/strict'
import { test } from 'node:test'
import fc from 'fast-check'
import { testCore, type TestCore } from '../../../test/support/test-core.ts'

type Told = {
  allowed: boolean
  reason: string
  unmet: string[]
  missing_policies: string[]
  rule: { pattern: string; decided_because: string; from: object[] } | null
  less_specific: { pattern: string }[]
}

const WEB = `path "secret/data/*" {
  capabilities = ["read"]
}

path "secret/data/prod/*" { capabilities = ["deny"] }
path "secret/data/form" {
  capabilities = ["create", "update"]
  required_parameters = ["data"]
  denied_parameters = { "options" = [] }
}
path "secret/metadata/*" { capabilities = ["list"] pagination_limit = 5 }`

async function withPolicies(): Promise<TestCore> {
  const made = await testCore()
  await made.ask('write', 'sys/policies/acl/web', { policy: WEB })
  await made.ask('write', 'sys/policies/acl/ops', {
    policy: 'path "secret/*" { capabilities = ["read", "delete"] }',
  })
  return made
}

const explainer =
  ({ ask }: TestCore) =>
  async (data: Record<string, unknown>): Promise<Told> => {
    const { status, body } = await ask('write', 'sys/coffer/explain', data)
    equal(status, 200, JSON.stringify(body))
    return body.data as unknown as Told
  }

test('explain needs sudo and one subject', async () => {
  const made = await withPolicies()
  const policy = 'path "sys/coffer/*" { capabilities = ["update"] }'
  await made.ask('write', 'sys/policies/acl/half', { policy })
  const { body } = await made.ask('write', 'auth/token/create', { policies: ['half'] })
  const { client_token: token } = body['auth'] as { client_token: string }
  const asked = { path: 'secret/data/a', policies: ['web'] }
  for (const word of ['explain', 'who']) {
    equal((await made.ask('write', `sys/coffer/${word}`, asked, { token })).status, 403)
  }
  const rows = [
    { policies: ['web'] },
    { path: 'a' },
    { path: 'a', policies: ['web'], entity: 'x' },
    { path: 'a', accessor: 'none' },
    { path: 'a', entity: 'none' },
    { path: 'a/../b', policies: ['web'] },
    { path: 'a', policies: ['web'], operation: 'sudo' },
  ]
  for (const data of rows) {
    equal((await made.ask('write', 'sys/coffer/explain', data)).status, 400, JSON.stringify(data))
  }
})

test('explain tells the rule, its policy and line, and why it is the one', async () => {
  const explain = explainer(await withPolicies())
  const policies = ['web', 'ops', 'gone']
  const read = await explain({ path: 'secret/data/app', policies })
  equal(read.allowed, true)
  equal(read.reason, 'the rule grants read')
  deepEqual(read.missing_policies, ['gone'])
  deepEqual(read.rule, {
    pattern: 'secret/data/*',
    decided_because: 'it is the longest prefix that matches',
    denies: false,
    capabilities: ['read'],
    from: [{ policy: 'web', path: 'secret/data/*', line: 1, capabilities: ['read'] }],
  })
  deepEqual(
    read.less_specific.map(({ pattern }) => pattern),
    ['secret/*'],
  )
  const remove = await explain({ path: 'secret/data/app', operation: 'delete', policies })
  equal(remove.allowed, false)
  equal(remove.reason, 'the rule does not grant delete; other rules do not add to it')
  const denied = await explain({ path: 'secret/data/prod/db', policies })
  equal(denied.reason, 'the rule denies')
  deepEqual(denied.rule?.from, [
    { policy: 'web', path: 'secret/data/prod/*', line: 5, capabilities: ['deny'] },
  ])
  const spelled = await explain({ path: 'Secret/Data/Prod/db', policies })
  equal(spelled.rule?.decided_because, 'it denies the path in every spelling')
  equal((await explain({ path: 'other', policies })).reason, 'no rule is about this path')
  equal((await explain({ path: 'other', policies: ['root'] })).allowed, true)
})

test('explain names the parameters that were missing, never their values', async () => {
  const explain = explainer(await withPolicies())
  const asked = { path: 'secret/data/form', operation: 'create', policies: ['web'] }
  const missing = await explain(asked)
  deepEqual(missing.unmet, ['"data" is required'])
  const wrong = await explain({
    ...asked,
    parameters: { data: 'CANARY', options: { a: 'CANARY' } },
  })
  deepEqual(wrong.unmet, ['"options" is not allowed with its value'])
  ok(!JSON.stringify([missing, wrong]).includes('CANARY'))
  equal((await explain({ ...asked, parameters: { data: {} } })).allowed, true)
  const list = { path: 'secret/metadata/', operation: 'list', policies: ['web'] }
  deepEqual((await explain({ ...list, parameters: { limit: 9 } })).unmet, [
    'limit must be from 1 to 5',
  ])
})

test('explain says of a token what the token finds out by trying', async () => {
  const made = await withPolicies()
  const explain = explainer(made)
  const { body } = await made.ask('write', 'auth/token/create', { policies: ['web', 'ops'] })
  const auth = body['auth'] as { client_token: string; accessor: string }
  const verbs = { read: 'read', delete: 'delete', list: 'list' } as const
  const segment = fc.constantFrom('secret', 'data', 'metadata', 'prod', 'form', 'x')
  await fc.assert(
    fc.asyncProperty(
      fc.array(segment, { minLength: 1, maxLength: 4 }),
      fc.constantFrom('read', 'delete', 'list'),
      async (segments, operation) => {
        const path = segments.join('/')
        const told = await explain({ path, operation, accessor: auth.accessor })
        const verb = verbs[operation as 'read']
        const { status } = await made.ask(verb, path, {}, { token: auth.client_token })
        equal(told.allowed, status !== 403, `${operation} ${path}: ${told.reason}`)
      },
    ),
    { numRuns: 80 },
  )
})

test('who tells the policies and what carries them, page by page', async () => {
  const made = await withPolicies()
  const accessors: string[] = []
  for (const policies of [['web'], ['ops'], ['web', 'ops']]) {
    const { body } = await made.ask('write', 'auth/token/create', { policies })
    accessors.push((body['auth'] as { accessor: string }).accessor)
  }
  await made.ask('write', 'identity/entity', { name: 'alice', policies: ['ops'] })
  const who = async (data: object) =>
    (await made.ask('write', 'sys/coffer/who', { path: 'secret/data/prod/x', ...data })).body.data!
  const all = await who({})
  deepEqual(all['policies'], ['ops', 'root'])
  const tokens = (all['tokens'] as { accessor: string }[]).map(({ accessor }) => accessor)
  ok(tokens.includes(accessors[1]!))
  ok(!tokens.includes(accessors[0]!) && !tokens.includes(accessors[2]!), 'a deny counts')
  equal(all['next'], null)
  ok(!JSON.stringify(all).includes('hvs.'))
  const found: string[] = []
  for (let after: unknown = ''; after !== null;) {
    const page = await who({ after, limit: 1 })
    found.push(...(page['tokens'] as { accessor: string }[]).map(({ accessor }) => accessor))
    after = page['next']
  }
  deepEqual(found, tokens)
  equal((await made.ask('write', 'sys/coffer/who', { path: 'a', limit: 0 })).status, 400)
})
