import { deepEqual, equal, match, ok } from 'node:assert/strict'
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { after, test } from 'node:test'
import { rotationHouse } from '../../../test/support/rotation-house.ts'
import { testCore, type TestCore } from '../../../test/support/test-core.ts'
import { settled, watch } from '../../../test/support/watching.ts'

const folder = mkdtempSync(join(tmpdir(), 'coffer-leaked-'))
after(() => rmSync(folder, { recursive: true }))

const LEAK = { path: 'secret/app/db', field: 'password', version: 3, source: 'shop@4f0c2d9' }
const report = (made: TestCore, data: Record<string, unknown>, options = {}) =>
  made.ask('write', 'sys/coffer/leaked', data, options)

async function tokenFor({ ask }: TestCore, policy: string): Promise<string> {
  await ask('write', 'sys/policies/acl/p', { policy })
  const { body } = await ask('write', 'auth/token/create', { policies: ['p'], display_name: 'ci' })
  return (body['auth'] as { client_token: string }).client_token
}

test('a report that says nothing, or too much, is refused', async () => {
  const made = await testCore()
  for (const [data, text] of [
    [{}, /say what has leaked/],
    [{ field: 'password', source: 'x' }, /say what has leaked/],
    [{ fingerprint: 'hunter2' }, /hexadecimal/],
    [{ fingerprint: 'ab'.repeat(12), field: 'f' }, /need a path/],
    [{ path: 'secret/app/' }, /not a folder/],
    [{ path: 'secret/a', version: -1 }, /0 or more/],
    [{ path: 'secret/a', source: 'x'.repeat(501) }, /500 characters/],
    [{ path: 'secret/../sys' }, /./],
  ] as const) {
    const { status, body } = await report(made, data)
    equal(status, 400, JSON.stringify(data))
    match(String(body.errors), text)
  }
  equal((await report(made, LEAK, { token: await tokenFor(made, '') })).status, 403)
})

test('the same secret has one case, with all places it was seen at, until it is closed', async () => {
  const made = await testCore()
  const first = (await report(made, LEAK)).body.data!
  equal(first['new'], true)
  made.clock.advance(60_000)
  equal((await report(made, LEAK)).body.data!['new'], false)
  const other = (await report(made, { ...LEAK, source: 'wiki page 7' })).body.data!
  deepEqual([other['id'], other['new']], [first['id'], true])
  const path = `sys/coffer/leaked/${String(first['id'])}`
  deepEqual((await made.ask('read', path)).body.data, {
    id: first['id'],
    path: 'secret/app/db',
    field: 'password',
    version: 3,
    fingerprint: null,
    reports: 3,
    opened_time: '2026-01-01T00:00:00Z',
    last_reported_time: '2026-01-01T00:01:00Z',
    sources: [
      { source: 'shop@4f0c2d9', time: '2026-01-01T00:00:00Z', by: 'root' },
      { source: 'wiki page 7', time: '2026-01-01T00:01:00Z', by: 'root' },
    ],
  })
  const nameless = (await report(made, { fingerprint: 'ab'.repeat(12) })).body.data!
  const { keys } = (await made.ask('list', 'sys/coffer/leaked')).body.data as { keys: string[] }
  deepEqual(keys.toSorted(), [String(first['id']), String(nameless['id'])].toSorted())
  equal((await made.ask('delete', path)).status, 204)
  equal((await made.ask('read', path)).status, 404)
  equal((await report(made, LEAK)).body.data!['reports'], 1)
})

test('those who may read the case or the secret are told, once for each place', async () => {
  const made = await testCore()
  const seen = await watch(made, { prefix: '' })
  const owner = await tokenFor(made, 'path "secret/data/app/*" { capabilities = ["read"] }')
  const theirs = await watch(made, { prefix: '', token: owner })
  const { id } = (await report(made, LEAK)).body.data as { id: string }
  await report(made, LEAK)
  await settled()
  const paths = (events: readonly { type: string; path: string }[]) =>
    events.map(({ type, path }) => `${type} ${path}`)
  deepEqual(paths(seen.events), [
    `leak.reported sys/coffer/leaked/${id}`,
    'leak.reported secret/app/db',
  ])
  deepEqual(paths(theirs.events), ['leak.reported secret/app/db'])
  seen.cut()
  theirs.cut()
})

test('rotate=true starts the rotation of the path, for who may start it; the case is open anyway', async () => {
  const house = await rotationHouse()
  await house.declare('app')
  const leak = { path: 'fake/static-creds/app', source: 'x', rotate: true }
  const may = 'path "sys/coffer/leaked" { capabilities = ["update"] }'
  const token = await tokenFor(house, may)
  const refused = await report(house, leak, { token })
  deepEqual([refused.status, refused.body.data!['rotation']], [200, 'not started'])
  match(String(refused.body['warnings']), /needs update on sys\/coffer\/rotate\/now\/fake/)
  const before = (await house.entry('app')).current!.number
  await house.settle()
  equal((await house.entry('app')).current!.number, before)
  await tokenFor(house, `${may} path "sys/coffer/rotate/now/fake/*" { capabilities = ["update"] }`)
  const started = await report(house, leak, { token })
  equal(started.body.data!['rotation'], 'started', started.text)
  await house.settle()
  equal((await house.entry('app')).current!.number, before + 1)
  const none = await report(house, { ...leak, path: 'secret/app/db' })
  deepEqual([none.status, none.body.data!['rotation']], [200, 'not started'])
  match(String(none.body['warnings']), /no rotation at/)
})

type Told = Record<string, unknown> & {
  last_read: { time: string; display_name: string; remote_address: string } | null
  may_read: { policies: string[]; tokens: object[]; entities: { name: string }[] } | null
}
const whereabouts = async (made: TestCore, data: Record<string, unknown>, options = {}) => {
  const answer = await made.ask('write', 'sys/coffer/whereabouts', data, options)
  equal(answer.status, 200, answer.text)
  return answer.body.data as unknown as Told
}

test('whereabouts are told to who may read the secret, who has read it to operators alone', async () => {
  const made = await testCore()
  const file_path = join(folder, 'audit.log')
  await made.ask('write', 'secret/data/app/db', { data: { password: 'old-value' } })
  await made.ask('write', 'secret/data/app/db', { data: { password: 'new-value' } })
  const at = { path: 'secret/app/db', version: 1 }
  deepEqual((await whereabouts(made, at)).last_read, null, 'nobody has kept a log')
  await made.ask('write', 'sys/audit/main', { type: 'file', options: { file_path } })
  await made.ask('write', 'identity/entity', { name: 'alice', policies: ['p'] })
  const ask = 'path "sys/coffer/whereabouts" { capabilities = ["update"] }'
  const reads = 'path "secret/data/app/*" { capabilities = ["read"] }'

  const stranger = await tokenFor(made, ask)
  for (const path of ['secret/app/db', 'secret/app/none', 'no/such/mount']) {
    const options = { token: stranger }
    equal((await made.ask('write', 'sys/coffer/whereabouts', { path }, options)).status, 403, path)
  }
  const ci = await tokenFor(made, `${ask} ${reads}`)
  made.clock.advance(60_000)
  await made.ask('read', 'secret/data/app/db', {}, { token: ci })
  made.clock.advance(60_000)
  // What is looked at for another answer, or refused, or of another path, is no read of it.
  await made.ask('write', 'sys/coffer/fingerprints', { path: 'secret' })
  await made.ask('read', 'secret/data/app/db', {}, { token: 'hvs.nobody' })
  await made.ask('read', 'secret/data/app/db2')
  await made.ask('read', 'secret/metadata/app/db')

  const told = await whereabouts(made, at)
  deepEqual([told['live'], told['current_version']], [false, 2])
  equal(told['changed_time'], '2026-01-01T00:00:00Z')
  equal(told.last_read!.display_name, 'token-ci')
  equal(told.last_read!.time, '2026-01-01T00:01:00Z')
  deepEqual(told.may_read!.policies.toSorted(), ['p', 'root'])
  deepEqual(
    told.may_read!.entities.map(({ name }) => name),
    ['alice'],
  )
  equal((await whereabouts(made, { ...at, version: 2 }))['live'], true)
  equal((await whereabouts(made, { ...at, version: 9 }))['live'], false)
  const theirs = await whereabouts(made, at, { token: ci })
  deepEqual([theirs['live'], theirs.last_read, theirs.may_read], [false, null, null])
  const none = await whereabouts(made, { path: 'secret/app/never' })
  deepEqual([none['live'], none.last_read], [false, null])
  match(String(none['no_read_since']), /^2026-01-01T00:00:00Z$/)
  ok(!JSON.stringify([told, theirs, none]).includes('-value'))

  // Lines that a crash or somebody else has left are passed over.
  writeFileSync(
    file_path,
    `${readFileSync(file_path, 'utf8')}x "path":"secret/data/app/db" {\n{"ty`,
  )
  equal((await whereabouts(made, at)).last_read!.display_name, 'token-ci')
  rmSync(file_path)
  equal((await whereabouts(made, at)).last_read, null)
  for (const data of [
    { path: 'secret/app/' },
    { path: '' },
    { path: 'a/../b' },
    { ...at, lease: 'x' },
  ])
    equal((await made.ask('write', 'sys/coffer/whereabouts', data)).status, 400)
})

test('what people will be shown cannot draw on their terminal, wherever it was said', async () => {
  const house = await rotationHouse()
  await house.declare('app')
  const hostile = ['a\nb', '\u001b[2J', '\u0000', '\u202e', '\ud800', 'x'.repeat(65_536)]
  const at = { path: 'fake/static-creds/app' }
  for (const text of hostile) {
    for (const [path, data] of [
      ['sys/coffer/leaked', { ...at, field: text }],
      ['sys/coffer/leaked', { ...at, source: text }],
      ['sys/coffer/leaked', { path: `secret/${text}` }],
      ['sys/coffer/honey/x', { kind: 'kv', path: 'secret/app', note: text }],
      ['sys/coffer/rotate/hold/fake/static-creds/app', { because: text }],
      ['sys/coffer/rotate/release/fake/static-creds/app', { because: text }],
    ] as const) {
      const { status, body } = await house.ask('write', path, data)
      equal(status, 400, `${path} ${JSON.stringify(data).slice(0, 60)}`)
      match(String(body.errors), /printable characters|characters or less|not allowed|too long/)
    }
  }
  const note = 'die alte Wiki-Seite, 古い'
  const set = { kind: 'kv', path: 'secret/app', note }
  equal((await house.ask('write', 'sys/coffer/honey/x', set)).status, 200)
  equal((await house.ask('read', 'sys/coffer/honey/x')).body.data!['note'], note)
})
