import { deepEqual, equal, ok } from 'node:assert/strict'
import { test } from 'node:test'
import fc from 'fast-check'
import { type Answered, testCore, type TestCore } from '../../../test/support/test-core.ts'

type Data = Record<string, unknown>

async function filled(): Promise<TestCore> {
  const made = await testCore()
  await made.ask('write', 'sys/mounts/team', { type: 'kv', options: { version: '2' } })
  for (const key of ['app/db', 'app/web', 'app/in/deep', 'other']) {
    await made.ask('write', `secret/data/${key}`, { data: { user: key, n: 1 } })
    await made.ask('write', `secret/data/${key}`, { data: { user: key, pass: `pw of ${key}` } })
  }
  await made.ask('write', 'secret/metadata/app/db', { custom_metadata: { owner: 'ops' } })
  for (const key of ['old/a', 'old/b']) await made.ask('write', `kv1/${key}`, { token: key })
  return made
}

async function tokenWith({ ask }: TestCore, rules: string): Promise<string> {
  const policy = `path "sys/coffer/*" { capabilities = ["update"] }\n${rules}`
  equal((await ask('write', 'sys/policies/acl/p', { policy })).status, 204)
  const { body } = await ask('write', 'auth/token/create', {
    policies: ['p'],
    no_default_policy: true,
  })
  return (body['auth'] as { client_token: string }).client_token
}

const everything = '["create", "read", "update", "delete", "list"]'
const dataIn = ({ body }: Answered) => body.data as Data
const errorsIn = ({ body }: Answered) => body?.errors

/** All secrets with all that is known of them, but for when they were last touched. */
async function whole({ ask }: TestCore): Promise<Data> {
  const all: Data = {}
  for (const mount of ['secret', 'team']) {
    for (const key of (dataIn(await ask('scan', `${mount}/metadata`))?.['keys'] ??
      []) as string[]) {
      const about = dataIn(await ask('read', `${mount}/metadata/${key}`))
      const versions: Data = {}
      for (const version of Object.keys(about['versions'] as object)) {
        versions[version] = (await ask('read', `${mount}/data/${key}`, { version })).body.data
      }
      all[`${mount}/${key}`] = { about, versions }
    }
  }
  for (const key of (dataIn(await ask('scan', 'kv1'))?.['keys'] ?? []) as string[]) {
    all[`kv1/${key}`] = dataIn(await ask('read', `kv1/${key}`))
  }
  return all
}

test('a move is refused unless every path of it is allowed, and then nothing is changed', async () => {
  const made = await filled()
  const before = await whole(made)
  const all = `path "team/*" { capabilities = ${everything} }`
  const source = (path: string, capabilities: string) =>
    `path "secret/${path}" { capabilities = ${capabilities} }`
  const rows: [rules: string, error: RegExp][] = [
    [all, /read on secret\/data\/app\/db/],
    [`${all}${source('data/*', '["read"]')}`, /read on secret\/metadata\/app\/db/],
    [`${all}${source('+/app/*', '["read"]')}`, /delete on secret\/data\/app\/db/],
    [
      `${all}${source('data/*', '["read", "delete"]')}${source('metadata/*', '["read"]')}`,
      /delete on secret\/metadata\/app\/db/,
    ],
    [source('+/app/*', everything), /permission denied/],
    [
      `${source('+/app/*', everything)}path "team/data/*" { capabilities = ["create"] }`,
      /create on team\/metadata\/new/,
    ],
    [
      `${source('+/app/*', everything)}path "team/+/*" { capabilities = ["update"] }`,
      /create on team\/data\/new/,
    ],
    [
      `${source('+/app/*', everything)}
       path "team/metadata/*" { capabilities = ["create"] }
       path "team/data/*" {
         capabilities = ["create"]
         denied_parameters = { "data" = [] }
       }`,
      /create on team\/data\/new/,
    ],
  ]
  for (const [rules, error] of rows) {
    const token = await tokenWith(made, rules)
    const asked = { from: 'secret/app/db', to: 'team/new' }
    const reply = await made.ask('write', 'sys/coffer/kv/move', asked, { token })
    equal(reply.status, 403, rules)
    ok(error.test(errorsIn(reply)?.[0] ?? ''), `${errorsIn(reply)?.[0]} for ${rules}`)
  }
  deepEqual(await whole(made), before)
})

test('a move refuses what makes no sense or would overwrite, and then nothing is changed', async () => {
  const made = await filled()
  const before = await whole(made)
  const rows: [data: Data, status: number, error: RegExp][] = [
    [{ to: 'team/x' }, 400, /missing from/],
    [{ from: 'secret/app/db' }, 400, /missing to/],
    [{ from: 'secret/none', to: 'team/x' }, 404, /nothing to be seen/],
    [{ from: 'secret/none/', to: 'team/x', recursive: true }, 404, /nothing to be seen/],
    [{ from: 'secret/app/', to: 'team/x' }, 400, /say recursive/],
    [{ from: 'secret/app/db', to: 'secret/app/db' }, 400, /same path/],
    [{ from: 'secret/app', to: 'secret/app/in', recursive: true }, 400, /into itself/],
    [{ from: 'secret/app/db', to: 'secret/other' }, 400, /a secret at secret\/other already/],
    [{ from: 'secret/app/db', to: 'secret/other', cas: 1 }, 400, /did not match/],
    [{ from: 'secret/app/', to: 'team/', recursive: true, cas: 0 }, 400, /one secret at a time/],
    [{ from: 'secret/app/db', to: 'kv1/db' }, 400, /newest_only/],
    [{ from: 'secret/app/db', to: 'cubbyhole/x' }, 400, /no mount that keeps secrets/],
    [{ from: 'sys/policies/acl/default', to: 'team/x' }, 400, /no mount that keeps secrets/],
    [{ from: 'secret/../kv1/old/a', to: 'team/x' }, 400, /relative paths/],
    [{ from: 'secret/app/db', to: 'team/x', cas: -1 }, 400, /negative/],
    [{ from: 'secret/app/db', to: 'team//x' }, 400, /empty path segments/],
  ]
  for (const [data, status, error] of rows) {
    for (const word of ['move', 'copy']) {
      const reply = await made.ask('write', `sys/coffer/kv/${word}`, data)
      equal(reply.status, status, JSON.stringify(data))
      ok(error.test(errorsIn(reply)?.[0] ?? ''), `${errorsIn(reply)?.[0]}`)
    }
  }
  const dry = { from: 'secret/app/', to: 'team/', recursive: true, dry_run: true }
  equal(dataIn(await made.ask('write', 'sys/coffer/kv/move', dry))['count'], 3)
  deepEqual(await whole(made), before)
})

test('move and copy keep every version and all metadata', async () => {
  const made = await filled()
  const { ask } = made
  await ask('delete', 'secret/data/app/web')
  await ask('write', 'secret/destroy/app/db', { versions: [1] })
  await ask('write', 'secret/metadata/app/db', { max_versions: 7, delete_version_after: '1h' })
  const before = await whole(made)
  const copy = { from: 'secret/app/', to: 'team/x/', recursive: true }
  const copied = dataIn(await ask('write', 'sys/coffer/kv/copy', copy))
  deepEqual(copied, {
    count: 3,
    paths: ['db', 'in/deep', 'web'].map((key) => ({
      from: `secret/app/${key}`,
      to: `team/x/${key}`,
    })),
  })
  const after = await whole(made)
  for (const key of ['db', 'in/deep', 'web']) {
    deepEqual(after[`team/x/${key}`], before[`secret/app/${key}`])
    deepEqual(after[`secret/app/${key}`], before[`secret/app/${key}`])
  }
  const move = { from: 'secret/app/db', to: 'secret/other', overwrite: true }
  equal((await ask('write', 'sys/coffer/kv/move', move)).status, 200)
  const last = await whole(made)
  deepEqual(last['secret/other'], before['secret/app/db'])
  equal(last['secret/app/db'], undefined)
  const cas = { from: 'team/x/db', to: 'secret/other', cas: 2 }
  equal((await ask('write', 'sys/coffer/kv/move', cas)).status, 200)
  const plain = { from: 'secret/app/in/deep', to: 'kv1/deep', newest_only: true }
  equal((await ask('write', 'sys/coffer/kv/copy', plain)).status, 200)
  deepEqual(dataIn(await ask('read', 'kv1/deep')), {
    user: 'app/in/deep',
    pass: 'pw of app/in/deep',
  })
  const gone = { from: 'secret/app/web', to: 'kv1/web', newest_only: true }
  equal((await ask('write', 'sys/coffer/kv/copy', gone)).status, 400)
  const up = { from: 'kv1/old/a', to: 'team/old' }
  equal((await ask('write', 'sys/coffer/kv/move', up)).status, 200)
  deepEqual(dataIn(await ask('read', 'team/data/old'))['data'] as Data, { token: 'old/a' })
  equal((await ask('read', 'kv1/old/a')).status, 404)
})

test('what a caller may not see is neither moved nor counted', async () => {
  const made = await filled()
  const token = await tokenWith(
    made,
    `path "secret/+/app/*" { capabilities = ${everything} }
     path "secret/+/app/in/*" { capabilities = ["deny"] }
     path "team/*" { capabilities = ${everything} }`,
  )
  const move = { from: 'secret/app/', to: 'team/', recursive: true }
  const reply = await made.ask('write', 'sys/coffer/kv/move', move, { token })
  deepEqual(dataIn(reply)['count'], 2)
  equal((await made.ask('read', 'secret/data/app/in/deep')).status, 200)
  equal((await made.ask('read', 'secret/data/app/db')).status, 404)
})

test('a search answers paths, and only of what the caller may read', async () => {
  const made = await filled()
  const find = async (data: Data, token?: string) =>
    dataIn(await made.ask('write', 'sys/coffer/kv/find', data, token ? { token } : {}))?.['keys']
  equal((await made.ask('write', 'sys/coffer/kv/find', { path: 'secret/' })).status, 400)
  const inApp = ['db', 'in/deep', 'web']
  deepEqual(await find({ path: 'secret/app', field: 'pa*' }), inApp)
  deepEqual(await find({ path: 'secret/app/', key: 'deep' }), ['in/deep'])
  deepEqual(await find({ path: 'secret/app/', key: 'in/*' }), ['in/deep'])
  deepEqual(await find({ value: 'pw of app/db' }), ['secret/app/db'])
  deepEqual(await find({ field: 'user', value: 'pw of app/db' }), [])
  deepEqual(await find({ metadata: 'owner' }), ['secret/app/db'])
  deepEqual(await find({ metadata: 'owner=o*' }), ['secret/app/db'])
  deepEqual(await find({ metadata: 'owner=x' }), [])
  deepEqual(await find({ value: 'old/b' }), ['kv1/old/b'])
  const blind = await tokenWith(
    made,
    `path "secret/metadata/*" { capabilities = ["list", "read"] }
     path "secret/data/app/web" { capabilities = ["read"] }
     path "kv1/*" { capabilities = ["read"] }`,
  )
  deepEqual(await find({ field: 'pass' }, blind), ['secret/app/web'])
  deepEqual(await find({ value: 'pw of app/db' }, blind), [])
  deepEqual(await find({ key: 'old*' }, blind), [])
  deepEqual(await find({ key: 'db' }, blind), ['secret/app/db'])
  equal(
    (await made.ask('write', 'sys/coffer/kv/list', { path: 'kv1/' }, { token: blind })).status,
    200,
  )
  const elsewhere = await made.ask('write', 'sys/coffer/kv/list', { path: 'x/' }, { token: blind })
  equal(elsewhere.status, 403)
})

test('a list comes in pages that add up to the whole', async () => {
  const made = await filled()
  const list = async (data: Data) => dataIn(await made.ask('write', 'sys/coffer/kv/list', data))
  const all = (await list({}))['keys']
  deepEqual(all, [
    ...['kv1/old/a', 'kv1/old/b'],
    ...['secret/app/db', 'secret/app/in/deep', 'secret/app/web', 'secret/other'],
  ])
  for (let limit = 1; limit < 7; limit++) {
    const found: unknown[] = []
    for (let after: unknown = ''; after !== null;) {
      const page = await list({ after, limit })
      found.push(...(page['keys'] as string[]))
      after = page['next']
    }
    deepEqual(found, all)
  }
  equal((await made.ask('write', 'sys/coffer/kv/list', { limit: 20_000 })).status, 400)
})

/** The single requests are the judge: who may ask for each alone may see it here, and nobody else. */
test('a list shows a secret if and only if the caller could find and read it alone', async () => {
  const made = await filled()
  const paths = ['', 'app/', 'app/in/', 'app/db', 'app/in/deep', 'other', '*', 'app/*']
  const rule = fc.record({
    on: fc.constantFrom('secret/metadata/', 'secret/data/', 'secret/+/', 'kv1/', 'kv1/old'),
    path: fc.constantFrom(...paths),
    capabilities: fc.subarray(['read', 'list', 'deny'], { minLength: 1, maxLength: 2 }),
  })
  const allowed = async (verb: 'list' | 'read', path: string, token: string) =>
    (await made.ask(verb, path, {}, { token })).status !== 403
  await fc.assert(
    fc.asyncProperty(fc.array(rule, { minLength: 1, maxLength: 5 }), async (rules) => {
      const text = rules.map(
        ({ on, path, capabilities }) =>
          `path "${on}${path}" { capabilities = ${JSON.stringify(capabilities)} }`,
      )
      const token = await tokenWith(made, text.join('\n'))
      const shown = dataIn(await made.ask('write', 'sys/coffer/kv/list', {}, { token }))['keys']
      const expected: string[] = []
      for (const full of [
        'kv1/old/a',
        'kv1/old/b',
        'secret/app/db',
        'secret/app/in/deep',
        'secret/app/web',
        'secret/other',
      ]) {
        const [mount = '', ...segments] = full.split('/')
        const listed = mount === 'kv1' ? 'kv1' : `${mount}/metadata`
        const folders = segments.map((_, i) =>
          segments
            .slice(0, i)
            .map((s) => `${s}/`)
            .join(''),
        )
        let sees = true
        for (const folder of folders) sees &&= await allowed('list', `${listed}/${folder}`, token)
        const path = segments.join('/')
        const read = await allowed('read', `${listed}/${path}`, token)
        const data = mount === 'kv1' ? read : await allowed('read', `secret/data/${path}`, token)
        if (sees && (read || data)) expected.push(full)
      }
      deepEqual(shown, expected, text.join('\n'))
    }),
    { numRuns: 60 },
  )
})

test('moves and copies of any kind are as a map of paths would do them', async () => {
  const folders = ['', 'a/', 'b/', 'a/b/']
  const step = fc.record({
    word: fc.constantFrom('move', 'copy'),
    from: fc.constantFrom(...folders),
    to: fc.constantFrom(...folders),
    leaf: fc.constantFrom('x', 'y', ''),
    mounts: fc.constantFrom(['secret/', 'secret/'], ['secret/', 'team/'], ['team/', 'secret/']),
    overwrite: fc.boolean(),
  })
  await fc.assert(
    fc.asyncProperty(fc.array(step, { minLength: 1, maxLength: 8 }), async (steps) => {
      const made = await testCore()
      await made.ask('write', 'sys/mounts/team', { type: 'kv', options: { version: '2' } })
      let model = new Map<string, string>()
      for (const key of ['x', 'a/x', 'a/y', 'a/b/x']) {
        await made.ask('write', `secret/data/${key}`, { data: { was: key } })
        model.set(`secret/${key}`, key)
      }
      for (const { word, leaf, mounts, overwrite, ...at } of steps) {
        const [from, to] = [`${mounts[0]}${at.from}${leaf}`, `${mounts[1]}${at.to}${leaf}`]
        const recursive = leaf === ''
        const reply = await made.ask('write', `sys/coffer/kv/${word}`, {
          from,
          to,
          recursive,
          overwrite,
        })
        const next = new Map(model)
        const taken = [...model].filter(([path]) =>
          recursive ? path.startsWith(from) : path === from,
        )
        const into = recursive ? to.startsWith(from) : to === from
        if (word === 'move') for (const [path] of taken) next.delete(path)
        const targets = taken.map(([path, was]) => [to + path.slice(from.length), was] as const)
        const taking = targets.some(([path]) => next.has(path))
        const fine = !into && taken.length > 0 && (overwrite || !taking)
        equal(
          reply.status === 200,
          fine,
          JSON.stringify({ word, from, to, overwrite, body: reply.body }),
        )
        if (!fine) continue
        for (const [path, was] of targets) next.set(path, was)
        model = next
      }
      const found: [string, string][] = []
      for (const [path, { versions }] of Object.entries(await whole(made)) as [
        string,
        { versions: { 1: { data: { was: string } } } },
      ][]) {
        found.push([path, versions[1].data.was])
      }
      deepEqual(new Map(found), new Map([...model].toSorted(([a], [b]) => (a < b ? -1 : 1))))
    }),
    { numRuns: 60 },
  )
})

test('each path of a move stands in the audit log', async () => {
  const made = await filled()
  const lines: string[] = []
  const { audit } = made.core
  const record = audit.record.bind(audit)
  Object.assign(audit, {
    record(format: Parameters<typeof record>[0]) {
      const hasher = { hash: () => 'h', text: () => '{}' }
      const device = { hasher, hashAccessor: true, headers: { headers: {} } }
      lines.push(`${format(device as never)}}`)
      return record(format)
    },
  })
  const move = { from: 'secret/app/', to: 'team/', recursive: true }
  await made.ask('write', 'sys/coffer/kv/move', move)
  const told = lines.map((line) => {
    const { type, request } = JSON.parse(line) as {
      type: string
      request: { operation: string; path: string }
    }
    return `${type} ${request.operation} ${request.path}`
  })
  for (const key of ['db', 'in/deep', 'web']) {
    for (const part of ['data', 'metadata']) {
      for (const type of ['request', 'response']) {
        for (const operation of ['read', 'delete']) {
          ok(told.includes(`${type} ${operation} secret/${part}/app/${key}`), key)
        }
        ok(told.includes(`${type} create team/${part}/${key}`), key)
      }
    }
  }
  ok(lines[0]?.includes('"from":"secret/app/"'))
  lines.length = 0
  await made.ask('write', 'sys/coffer/kv/move', { ...move, from: 'team/', to: 'secret/' })
  equal(lines.length, 2 + 3 * 6 * 2)
  lines.length = 0
  await made.ask('write', 'sys/coffer/kv/copy', { ...move, from: 'secret/', to: 'secret/a' })
  equal(lines.length, 2)
})
