import { deepEqual, equal, match } from 'node:assert/strict'
import { Readable } from 'node:stream'
import { test } from 'node:test'
import {
  type Answers,
  envelopeOf,
  fakeVault,
  runAgainst,
} from '../../../../test/support/fake-vault.ts'
import { runProgram } from '../../program.ts'

const mountOf = (path: string, version: string | undefined) =>
  envelopeOf({ path, type: 'kv', options: version === undefined ? null : { version } })
const V2: Answers = {
  'GET sys/internal/ui/mounts/secret/app/db': mountOf('secret/', '2'),
  'GET sys/internal/ui/mounts/secret': mountOf('secret/', '2'),
}
const V1: Answers = {
  'GET sys/internal/ui/mounts/kv/db': mountOf('kv/', undefined),
  'GET sys/internal/ui/mounts/kv': mountOf('kv/', '1'),
}
const metadata = {
  created_time: '2026-01-02T03:04:05Z',
  custom_metadata: null,
  deletion_time: '',
  destroyed: false,
  version: 1,
}
const stored = envelopeOf({ data: { user: 'ana', n: 7 }, metadata })
const written = envelopeOf(metadata)

async function run(answers: Answers, ...argv: string[]) {
  await using vault = await fakeVault(answers)
  const ran = await runAgainst(vault, ['kv', ...argv])
  const asked = vault.asked.map(({ method, path }) => `${method} ${path}`)
  return { ...ran, asked: asked.slice(1), bodies: vault.asked.slice(1).map(({ body }) => body) }
}

test('kv get of nothing exits with 2 and says where it looked', async () => {
  const { code, err, asked } = await run(V2, 'get', 'secret/app/db')
  equal(code, 2)
  equal(err, 'No value found at secret/data/app/db\n')
  deepEqual(asked, ['GET secret/data/app/db'])
})

test('kv without rights says so and asks no further', async () => {
  const errors = [
    'preflight capability check returned 403, please ensure client\'s policies grant access to path "secret/app/db/"',
  ]
  const refused = { 'GET sys/internal/ui/mounts/secret/app/db': { status: 403, body: { errors } } }
  const { code, err, asked } = await run(refused, 'get', 'secret/app/db')
  equal(code, 2)
  match(err, /^Error making API request\.\n\nURL: GET [^]*preflight capability check returned 403/)
  match(err, /hint: .*token capabilities/)
  deepEqual(asked, [])
})

test('kv get prints path, metadata and data, each under its heading', async () => {
  const answers = { ...V2, 'GET secret/data/app/db': stored }
  const expected = `=== Secret Path ===
secret/data/app/db

======= Metadata =======
Key                Value
---                -----
created_time       2026-01-02T03:04:05Z
custom_metadata    <nil>
deletion_time      n/a
destroyed          false
version            1

==== Data ====
Key     Value
---     -----
n       7
user    ana
`
  equal((await run(answers, 'get', 'secret/app/db')).out, expected)
  equal((await run(answers, 'get', '-mount=secret', 'app/db')).out, expected)
  equal((await run(answers, 'get', '-mount', 'secret/', '/app/db')).out, expected)
})

test('kv get -field finds a key of the data; -version asks for one version', async () => {
  const answers = { ...V2, 'GET secret/data/app/db?version=3': stored }
  const { out, asked } = await run(answers, 'get', '-version=3', '-field=user', 'secret/app/db')
  equal(out, 'ana')
  deepEqual(asked, ['GET secret/data/app/db?version=3'])
})

test('kv get of a deleted version shows what is known of it, and -field finds nothing', async () => {
  const gone = {
    ...envelopeOf({ data: null, metadata: { ...metadata, destroyed: true } }),
    status: 404,
  }
  const answers = { ...V2, 'GET secret/data/app/db': gone }
  const shown = await run(answers, 'get', 'secret/app/db')
  equal(shown.code, 0)
  match(shown.out, /destroyed +true\n/)
  const field = await run(answers, 'get', '-field=user', 'secret/app/db')
  equal(field.code, 2)
  equal(field.err, 'No data found at secret/data/app/db\n')
})

test('kv get of version 1 reads the path itself, and shows only data', async () => {
  const answers = { ...V1, 'GET kv/db': envelopeOf({ a: 1 }, { lease_duration: 2_764_800 }) }
  const expected = '== Data ==\nKey    Value\n---    -----\na      1\n'
  equal((await run(answers, 'get', 'kv/db')).out, expected)
  deepEqual((await run(answers, 'get', '-mount=kv', 'db')).asked, ['GET kv/db'])
})

test('kv put sends data and options on version 2, and the data alone on version 1', async () => {
  const two = await run(
    { ...V2, 'PUT secret/data/app/db': written },
    'put',
    '-cas=0',
    'secret/app/db',
    'a=1',
  )
  equal(two.bodies[0], '{"data":{"a":"1"},"options":{"cas":0}}')
  match(two.out, /^=== Secret Path ===\nsecret\/data\/app\/db\n\n======= Metadata =======\n/)
  const one = await run({ ...V1, 'PUT kv/db': { status: 204 } }, 'put', 'kv/db', 'a=1')
  equal(one.bodies[0], '{"a":"1"}')
  equal(one.out, 'Success! Data written to: kv/db\n')
})

test('kv put without data asks nobody', async () => {
  await using vault = await fakeVault({})
  const { code, err } = await runAgainst(vault, ['kv', 'put', 'secret/a'])
  equal(code, 1)
  match(err, /^Must supply data\nhint: for example: coffer kv put /)
  equal(vault.asked.length, 0)
})

test('kv put -output-curl-string asks the mount, and shows the write', async () => {
  const { out, asked } = await run(V2, 'put', '-output-curl-string', 'secret/app/db', 'a=1')
  match(out, /^curl -X PUT .*secret\/data\/app\/db\n$/)
  deepEqual(asked, [])
})

test('kv patch sends a merge patch, with null for what is removed', async () => {
  const answers = { ...V2, 'PATCH secret/data/app/db': written }
  const argv = ['patch', '-cas=4', '-remove-data=old', 'secret/app/db', 'a=1']
  const { bodies, code } = await run(answers, ...argv)
  equal(code, 0)
  equal(bodies[0], '{"data":{"a":"1","old":null},"options":{"cas":4}}')
})

test('kv patch reads and writes where patching is not allowed, and recommends the right', async () => {
  const big = '{"data":{"data":{"keep":12345678901234567890,"old":"x"},"metadata":{"version":4}}}'
  const answers: Answers = {
    ...V2,
    'PATCH secret/data/app/db': { status: 403, body: { errors: ['permission denied'] } },
    'GET secret/data/app/db': { body: big },
    'PUT secret/data/app/db': written,
  }
  const argv = ['-remove-data=old', 'secret/app/db', 'a=1']
  const { code, err, bodies } = await run(answers, 'patch', ...argv)
  equal(code, 0)
  match(err, /add the "patch" capability/)
  equal(bodies[2], '{"data":{"keep":12345678901234567890,"a":"1"},"options":{"cas":4}}')
  equal((await run(answers, 'patch', '-method=patch', ...argv)).code, 2)
  deepEqual((await run(answers, 'patch', '-method=rw', ...argv)).asked, [
    'GET secret/data/app/db',
    'PUT secret/data/app/db',
  ])
})

test('kv patch of version 1 is refused', async () => {
  const { code, err } = await run(V1, 'patch', 'kv/db', 'a=1')
  equal(code, 2)
  match(err, /^K\/V engine mount must be version 2 for patch support\n/)
})

test('kv delete, undelete and destroy name versions', async () => {
  const success = 'Success! Data'
  const gone = await run({ ...V2, '*': { status: 204 } }, 'delete', 'secret/app/db')
  deepEqual(gone.asked, ['DELETE secret/data/app/db'])
  equal(gone.out, `${success} deleted (if it existed) at: secret/data/app/db\n`)
  for (const verb of ['delete', 'undelete', 'destroy']) {
    const argv = [verb, '-versions=1, 2', '-versions=3', 'secret/app/db']
    const { asked, bodies, out } = await run({ ...V2, '*': { status: 204 } }, ...argv)
    deepEqual(asked, [`PUT secret/${verb}/app/db`])
    equal(bodies[0], '{"versions":["1","2","3"]}')
    match(
      out,
      verb === 'delete' ? /deleted/ : new RegExp(`${success} written to: secret/${verb}/app/db`),
    )
  }
  equal((await run(V2, 'destroy', 'secret/app/db')).code, 1)
  equal(
    (await run(V1, 'undelete', '-versions=1', 'kv/db')).err.split('\n')[0],
    'Undelete not supported on KV Version 1',
  )
})

test('kv list asks for metadata on version 2, below a mount or at it', async () => {
  const keys = envelopeOf({ keys: ['b', 'a/'] })
  const answers = { ...V2, 'GET secret/metadata?list=true': keys }
  equal((await run(answers, 'list', '-mount=secret')).out, 'Keys\n----\na/\nb\n')
  equal((await run(answers, 'list', 'secret/')).out, 'Keys\n----\na/\nb\n')
  equal(
    (await run(answers, 'list', 'secret/app/db')).err,
    'No value found at secret/metadata/app/db\n',
  )
})

test('kv rollback writes the old data on condition that nobody was faster', async () => {
  const answers: Answers = {
    ...V2,
    'GET secret/data/app/db': envelopeOf({
      data: { a: 'new' },
      metadata: { ...metadata, version: 5 },
    }),
    'GET secret/data/app/db?version=2': envelopeOf({ data: { a: 'old' }, metadata }),
    'PUT secret/data/app/db': written,
  }
  const { bodies } = await run(answers, 'rollback', '-version=2', 'secret/app/db')
  equal(bodies[2], '{"data":{"a":"old"},"options":{"cas":5}}')
  equal((await run(answers, 'rollback', 'secret/app/db')).code, 1)
  const destroyed = { ...envelopeOf({ data: null, metadata }), status: 404 }
  const lost = { ...answers, 'GET secret/data/app/db?version=2': destroyed }
  equal((await run(lost, 'rollback', '-version=2', 'secret/app/db')).code, 2)
})

test('kv metadata get shows every version in order', async () => {
  const version = { created_time: 't', deletion_time: '', destroyed: false }
  const data = { cas_required: false, versions: { '10': version, '2': version } }
  const answers = { ...V2, 'GET secret/metadata/app/db': envelopeOf(data) }
  const { out } = await run(answers, 'metadata', 'get', 'secret/app/db')
  match(out, /^=+ Metadata Path =+\nsecret\/metadata\/app\/db\n\n=+ Metadata =+\n/)
  match(out, /=+ Version 2 =+\n[^]*=+ Version 10 =+\n/)
})

test('kv metadata put and patch send only what was typed', async () => {
  const answers = { ...V2, '*': { status: 204 } }
  const put = ['metadata', 'put', '-max-versions=5', '-delete-version-after=1h', 'secret/app/db']
  equal((await run(answers, ...put)).bodies[0], '{"max_versions":5,"delete_version_after":"3600s"}')
  const patch = [
    'metadata',
    'patch',
    '-custom-metadata=a=1',
    '-remove-custom-metadata=b',
    'secret/app/db',
  ]
  const { bodies, asked } = await run(answers, ...patch)
  deepEqual(asked, ['PATCH secret/metadata/app/db'])
  equal(bodies[0], '{"custom_metadata":{"a":"1","b":null}}')
})

test('kv splits a path behind a mount that is reported with its namespace', async () => {
  const answers: Answers = {
    'GET sys/internal/ui/mounts/secret/app': mountOf('team/secret/', '2'),
    'GET secret/data/app': stored,
  }
  equal((await run(answers, 'get', '-field=user', 'secret/app')).out, 'ana')
})

test('kv enable-versioning tunes the mount', async () => {
  await using vault = await fakeVault({ '*': { status: 204 } })
  const { out } = await runAgainst(vault, ['kv', 'enable-versioning', '/kv'])
  equal(out, 'Success! Tuned the secrets engine at: kv/\n')
  equal(vault.asked[0]?.path, 'sys/mounts/kv/tune')
  equal(vault.asked[0]?.body, '{"options":{"version":"2"}}')
})

test('kv mv sends the whole wish and prints what was moved', async () => {
  const paths = [{ from: 'secret/a', to: 'team/a' }]
  const answers = { 'PUT sys/coffer/kv/move': envelopeOf({ count: 1, paths }) }
  await using vault = await fakeVault(answers)
  const ran = await runAgainst(vault, ['kv', 'mv', '-mount=secret', '-cas=3', '/a', 'b'])
  equal(ran.out, 'secret/a -> team/a\nSuccess! Moved 1 secret\n')
  deepEqual(JSON.parse(vault.asked[0]!.body), {
    from: 'secret/a',
    to: 'secret/b',
    recursive: false,
    overwrite: false,
    cas: 3,
    newest_only: false,
    dry_run: false,
  })
  const long = [{ from: `secret/${'a'.repeat(40)}`, to: `team/${'a'.repeat(40)}` }]
  await using other = await fakeVault({
    'PUT sys/coffer/kv/copy': envelopeOf({ count: 1, paths: long }),
  })
  const { out } = await runAgainst(other, ['kv', 'cp', '-r', 'x/', 'y/'])
  equal(
    out.split('\n').every((line) => line.length <= 80),
    true,
  )
})

test('kv tree asks page by page until nothing is left', async () => {
  const pages = [
    envelopeOf({ keys: ['a/x', 'a/y'], next: 'a/y' }),
    envelopeOf({ keys: ['b'], next: null }),
  ]
  await using vault = await fakeVault({ 'PUT sys/coffer/kv/list': pages })
  const { out } = await runAgainst(vault, ['kv', 'tree', 'secret'])
  equal(out, 'secret\n├── a/\n│   ├── x\n│   └── y\n└── b\n\n3 secrets\n')
  deepEqual(
    vault.asked.map(({ body }) => (JSON.parse(body) as { after?: string }).after),
    [undefined, 'a/y'],
  )
})

test('kv mv of many asks on a terminal, and does nothing unless the answer is yes', async () => {
  const paths = Array.from({ length: 11 }, (_, i) => ({ from: `a/${i}`, to: `b/${i}` }))
  const answers = { 'PUT sys/coffer/kv/move': envelopeOf({ count: 11, paths }) }
  const moved = async (typed: string, ...flags: string[]) => {
    await using vault = await fakeVault(answers)
    const printed = { out: '', err: '' }
    const code = await runProgram('coffer', ['kv', 'mv', '-r', ...flags, 'a/', 'b/'], {
      env: { VAULT_ADDR: vault.address, VAULT_TOKEN: 'hvs.fake' },
      stdin: Object.assign(Readable.from([typed]), { isTTY: true }),
      stdout: { write: (text) => (printed.out += text) },
      stderr: { write: (text) => (printed.err += text) },
      home: '/nowhere',
    })
    const dry = vault.asked.map(({ body }) => (JSON.parse(body) as { dry_run: boolean }).dry_run)
    return { code, dry, err: printed.err }
  }
  const no = await moved('no\n')
  deepEqual([no.code, no.dry], [1, [true]])
  match(no.err, /^Move 11 secrets to b\/\? \(yes\/no\): nothing was changed\n/)
  deepEqual((await moved('yes\n')).dry, [true, false])
  deepEqual((await moved('', '-force')).dry, [false])
})
