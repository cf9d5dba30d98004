import { deepEqual, equal, match, ok } from 'node:assert/strict'
import { test } from 'node:test'
import { type Answer, envelopeOf, fakeVault, runAgainst } from '../../../test/support/fake-vault.ts'

async function read(answer: Answer, ...flags: string[]) {
  await using vault = await fakeVault({ 'GET a': answer })
  return await runAgainst(vault, ['read', ...flags, 'a'])
}

test('-field of what is not there exits with 1, and names the field only', async () => {
  const { code, out, err } = await read(envelopeOf({ password: 'swordfish' }), '-field=passwd')
  equal(code, 1)
  equal(out, '')
  match(err, /^Field "passwd" not present in secret\nhint: without -field it shows/)
  ok(!err.includes('password'))
})

test('a field is looked for in the data only, not in what every object has', async () => {
  for (const field of ['constructor', '__proto__', 'toString']) {
    equal((await read(envelopeOf({ a: 1 }), `-field=${field}`)).code, 1, field)
  }
})

test('a secret is a table of its keys in byte order', async () => {
  const data = { ttl: 2_764_800, b: null, A: [1, 'x'], long_key: { k: 'v' }, e: '' }
  const { code, out } = await read(envelopeOf(data))
  equal(code, 0)
  equal(
    out,
    'Key         Value\n---         -----\nA           [1 x]\nb           <nil>\n' +
      'e           n/a\nlong_key    map[k:v]\nttl         768h\n',
  )
})

test('a lease is shown above the data', async () => {
  const lease = { lease_id: 'db/1', lease_duration: 3600, renewable: true }
  const { out } = await read(envelopeOf({ password: 'p' }, lease))
  match(out, /lease_id +db\/1\nlease_duration +1h\nlease_renewable +true\npassword +p\n$/)
  const plain = await read(envelopeOf({ a: 1 }, { lease_duration: 60 }))
  match(plain.out, /refresh_interval +1m\na +1\n$/)
})

test('a token is shown as Vault shows it', async () => {
  const auth = {
    client_token: 'hvs.x',
    accessor: 'acc',
    policies: ['default', 'app'],
    token_policies: ['default', 'app'],
    metadata: { user: 'ana' },
    lease_duration: 0,
    renewable: false,
  }
  const { out } = await read(envelopeOf(null, { auth }))
  equal(
    out,
    'Key                  Value\n---                  -----\ntoken                hvs.x\n' +
      'token_accessor       acc\ntoken_duration       ∞\ntoken_renewable      false\n' +
      'token_policies       ["default" "app"]\nidentity_policies    []\n' +
      'policies             ["default" "app"]\ntoken_meta_user      ana\n',
  )
  equal((await read(envelopeOf(null, { auth }), '-field=token')).out, 'hvs.x')
  equal((await read(envelopeOf(null, { auth }), '-field=token_policies')).out, '[default app]')
})

test('a wrapped answer is shown with the colons Vault prints', async () => {
  const wrap_info = {
    token: 'hvs.w',
    accessor: 'acc',
    ttl: 300,
    creation_time: '2026-01-02T03:04:05Z',
    creation_path: 'a',
    wrapped_accessor: 'inner',
  }
  const answer = envelopeOf(null, { wrap_info })
  const { out } = await read(answer)
  match(out, /^wrapping_token: +hvs\.w$/m)
  match(out, /^wrapping_token_ttl: +5m$/m)
  match(out, /^wrapping_token_creation_time: +2026-01-02 03:04:05 \+0000 UTC$/m)
  match(out, /^wrapped_accessor: +inner$/m)
  equal((await read(answer, '-field=wrapping_token')).out, 'hvs.w')
})

test('warnings go to stderr, and the table to stdout', async () => {
  const { out, err } = await read(envelopeOf({ a: 1 }, { warnings: ['mind the gap'] }))
  equal(out, 'Key    Value\n---    -----\na      1\n')
  equal(err, 'WARNING! The following warnings were returned from Vault:\n\n  * mind the gap\n\n')
})

test('-format=json is the envelope in the order of Vault, with every digit', async () => {
  const body =
    '{"request_id":"r","lease_id":"","renewable":false,"lease_duration":0,"data":{"z":1.10,' +
    '"a":12345678901234567890,"__proto__":{"x":1}},"wrap_info":null,"warnings":null,"auth":null,' +
    '"mount_type":"kv"}'
  const { out } = await read({ body }, '-format=json')
  equal(
    out,
    `{
  "request_id": "r",
  "lease_id": "",
  "lease_duration": 0,
  "renewable": false,
  "data": {
    "__proto__": {
      "x": 1
    },
    "a": 12345678901234567890,
    "z": 1.10
  },
  "warnings": null,
  "mount_type": "kv"
}
`,
  )
})

test('-format=json with -field is the value as JSON', async () => {
  equal((await read(envelopeOf({ a: 'x' }), '-format=json', '-field=a')).out, '"x"\n')
  const list = await read(envelopeOf({ a: [1] }), '-format=json', '-field=a')
  deepEqual(JSON.parse(list.out), [1])
})

test('VAULT_FORMAT sets the format, and a flag wins over it', async () => {
  await using vault = await fakeVault({ 'GET a': envelopeOf({ k: 1 }) })
  const env = { VAULT_FORMAT: 'yaml' }
  match((await runAgainst(vault, ['read', 'a'], { env })).out, /^auth|data:\n {2}k: 1\n/)
  match((await runAgainst(vault, ['read', '-format=table', 'a'], { env })).out, /^Key/)
  const wrong = await runAgainst(vault, ['read', 'a'], { env: { VAULT_FORMAT: 'xml' } })
  equal(wrong.code, 1)
})

test('-format=raw of read is the body byte for byte', async () => {
  const body = '{"data":  {"a":1.0}}\n'
  equal((await read({ body }, '-format=raw')).out, body)
})

test('a list is a table of keys, or an array of JSON', async () => {
  const key_info = { b: { n: 1 }, 'a/': { n: 2, m: 'x' } }
  await using vault = await fakeVault({
    'GET a?list=true': envelopeOf({ keys: ['b', 'a/'], key_info }),
  })
  equal((await runAgainst(vault, ['list', 'a'])).out, 'Keys\n----\na/\nb\n')
  const json = await runAgainst(vault, ['list', '-format=json', 'a'])
  deepEqual(JSON.parse(json.out), ['b', 'a/'])
  const detailed = await runAgainst(vault, ['list', '-detailed', 'a'])
  equal(detailed.out, 'Keys    m      n\n----    -      -\na/      x      2\nb       n/a    1\n')
})

test('read and list of nothing exit with 2 and say where', async () => {
  await using vault = await fakeVault({})
  for (const verb of ['read', 'list']) {
    const { code, out, err } = await runAgainst(vault, [verb, '/a/b/'])
    equal(code, 2)
    equal(out, '')
    equal(err, 'No value found at a/b\n')
  }
})

test('a 404 that only warns shows the warning, and exits with 2', async () => {
  const warnings = ['Invalid path for a versioned K/V secrets engine.']
  const answer = envelopeOf(null, { warnings })
  const { code, err } = await read({ ...answer, status: 404 })
  equal(code, 2)
  match(err, /Invalid path for a versioned[^]*No value found at a\nhint: use: coffer kv get a\n$/)
})
