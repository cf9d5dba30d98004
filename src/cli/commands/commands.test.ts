/** What the other commands send and print, one table of requests and one of outputs. */
import { deepEqual, equal, match } from 'node:assert/strict'
import {
  linkSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmSync,
  statSync,
  writeFileSync,
} from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { after, test } from 'node:test'
import { ed25519Signer } from '../../crypto/ed25519.ts'
import { makeIndex } from '../../rules/fingerprints.ts'
import {
  type Answers,
  envelopeOf,
  fakeVault,
  runAgainst,
  runCli,
} from '../../../test/support/fake-vault.ts'

const folder = mkdtempSync(join(tmpdir(), 'coffer-commands-'))
after(() => rmSync(folder, { recursive: true }))

async function run(answers: Answers, argv: string[], stdin = '') {
  await using vault = await fakeVault(answers)
  const ran = await runAgainst(vault, argv, { stdin })
  return { ...ran, asked: vault.asked }
}

const config = '"config":{}'
// oxfmt-ignore
const requests: [line: string, asked: string, body: string, out: string][] = [
  ['token create -policy=a -policy=b -ttl=1h -orphan', 'POST auth/token/create', '{"ttl":"3600s","no_parent":true,"policies":["a","b"]}', ''],
  ['token create -role=r -type=batch', 'POST auth/token/create/r', '{"type":"batch","renewable":false}', ''],
  ['token create -metadata=k=v -use-limit=1 -renewable=false', 'POST auth/token/create', '{"renewable":false,"num_uses":1,"meta":{"k":"v"}}', ''],
  ['token lookup', 'GET auth/token/lookup-self', '', ''],
  ['token lookup hvs.a', 'POST auth/token/lookup', '{"token":"hvs.a"}', ''],
  ['token lookup -accessor acc', 'POST auth/token/lookup-accessor', '{"accessor":"acc"}', ''],
  ['token renew', 'PUT auth/token/renew-self', '{}', ''],
  ['token renew -i 1h hvs.a', 'PUT auth/token/renew', '{"token":"hvs.a","increment":3600}', ''],
  ['token revoke hvs.a', 'PUT auth/token/revoke', '{"token":"hvs.a"}', 'Success! Revoked token (if it existed)\n'],
  ['token revoke -self', 'PUT auth/token/revoke-self', '', 'Success! Revoked token (if it existed)\n'],
  ['token revoke -accessor acc', 'PUT auth/token/revoke-accessor', '{"accessor":"acc"}', 'Success! Revoked token (if it existed)\n'],
  ['token revoke -mode=orphan hvs.a', 'PUT auth/token/revoke-orphan', '{"token":"hvs.a"}', 'Success! Revoked token (if it existed)\n'],
  ['token revoke -mode=path auth/x', 'PUT sys/leases/revoke-prefix/auth/x', '', 'Success! Revoked token (if it existed)\n'],
  ['lease renew -increment=2m db/1', 'PUT sys/leases/renew', '{"lease_id":"db/1","increment":120}', ''],
  ['lease revoke -sync db/1', 'PUT sys/leases/revoke', '{"lease_id":"db/1","sync":true}', 'Success! Revoked lease: db/1\n'],
  ['lease revoke db/1', 'PUT sys/leases/revoke', '{"lease_id":"db/1","sync":false}', 'All revocation operations queued successfully!\n'],
  ['lease revoke -prefix -sync db/', 'PUT sys/leases/revoke-prefix/db', '{"sync":true}', 'Success! Revoked any leases with prefix: db\n'],
  ['lease revoke -prefix -force db', 'PUT sys/leases/revoke-force/db', '', 'Success! Force revoked any leases with prefix: db\n'],
  ['policy delete App', 'DELETE sys/policies/acl/app', '', 'Success! Deleted policy: app\n'],
  ['secrets enable kv-v2', 'POST sys/mounts/kv-v2', `{"type":"kv-v2","description":"",${config}}`, 'Success! Enabled the kv-v2 secrets engine at: kv-v2/\n'],
  ['secrets enable -path=/s/ -version=2 -description=d -max-lease-ttl=1h kv', 'POST sys/mounts/s', '{"type":"kv","description":"d","config":{"max_lease_ttl":"3600s"},"options":{"version":"2"}}', 'Success! Enabled the kv secrets engine at: s/\n'],
  ['secrets disable kv', 'DELETE sys/mounts/kv', '', 'Success! Disabled the secrets engine (if it existed) at: kv/\n'],
  ['secrets tune -default-lease-ttl=-1 -description= kv', 'POST sys/mounts/kv/tune', '{"default_lease_ttl":"system","description":""}', 'Success! Tuned the secrets engine at: kv/\n'],
  ['auth enable -token-type=batch approle', 'POST sys/auth/approle', '{"type":"approle","description":"","config":{"token_type":"batch"}}', 'Success! Enabled approle auth method at: approle/\n'],
  ['auth disable staff/', 'DELETE sys/auth/staff', '', 'Success! Disabled the auth method (if it existed) at: staff/\n'],
  ['auth tune -listing-visibility=unauth -user-lockout-threshold=3 staff', 'POST sys/mounts/auth/staff/tune', '{"listing_visibility":"unauth","user_lockout_config":{"lockout_threshold":"3"}}', 'Success! Tuned the auth method at: staff/\n'],
  ['audit enable -path=log file file_path=/x', 'PUT sys/audit/log', '{"type":"file","description":"","options":{"file_path":"/x"},"local":false}', 'Success! Enabled the file audit device at: log/\n'],
  ['audit disable log', 'DELETE sys/audit/log', '', 'Success! Disabled audit device (if it was enabled) at: log/\n'],
  ['namespace create -custom-metadata=k=v web', 'PUT sys/namespaces/web', '{"custom_metadata":{"k":"v"}}', ''],
  ['namespace delete web/', 'DELETE sys/namespaces/web', '', 'Success! Namespace deleted at: web/\n'],
  ['namespace unlock -unlock-key=k web', 'PUT sys/namespaces/api-lock/unlock/web', '{"unlock_key":"k"}', 'Success! Namespace unlocked\n'],
  ['write -f a', 'PUT a', '{}', 'Success! Data written to: a\n'],
  ['delete a/', 'DELETE a', '', 'Success! Data deleted (if it existed) at: a\n'],
  ['unwrap hvs.w', 'PUT sys/wrapping/unwrap', '{"token":"hvs.w"}', ''],
]
for (const [line, asked, body, out] of requests) {
  test(`${line} sends one request of its own`, async () => {
    const ran = await run({ '*': { status: 204 } }, line.split(' '))
    deepEqual(
      ran.asked.map(({ method, path }) => `${method} ${path}`),
      [asked],
    )
    equal(ran.asked[0]?.body, body)
    equal(ran.out, out)
  })
}

// oxfmt-ignore
const mistakes: [line: string, says: RegExp][] = [
  ['token lookup -accessor', /Not enough arguments/],
  ['token revoke', /Must supply token ID/],
  ['token revoke -self hvs.a', /-self stands alone/],
  ['token revoke -accessor -mode=orphan a', /Cannot use -accessor with -mode/],
  ['token capabilities -accessor secret/a', /expected 2, got 1/],
  ['lease revoke -force db', /requires also specifying -prefix/],
  ['write a', /Must supply data or use -force/],
  ['plugin list nonsense', /must be one of auth, database, secret/],
  ['completion fish', /the shell must be one of bash, zsh/],
  ['read -format=xml a', /must be one of table/],
]
for (const [line, says] of mistakes) {
  test(`${line} is refused and sends nothing`, async () => {
    const { code, err, asked } = await run({ '*': { status: 204 } }, line.split(' '))
    equal(code, 1)
    match(err, says)
    equal(asked.length, 0)
  })
}

test('a list of nothing is empty for programs and told to people, with exit code 2', async () => {
  const lists: [line: string, empty: string, said: RegExp][] = [
    ['list a', '{}', /^No value found at a$/m],
    ['namespace list', '{}', /^No namespaces found$/m],
    ['leaked list', '[]', /^No open cases$/m],
    ['rotate list', '[]', /^Nothing is rotated there$/m],
  ]
  for (const [line, empty, said] of lists) {
    const asked = await run({}, [...line.split(' '), '-format=json'])
    deepEqual([asked.code, asked.out, asked.err], [2, `${empty}\n`, ''], line)
    const told = await run({}, line.split(' '))
    deepEqual([told.code, told.out], [2, ''], line)
    match(told.err, said)
  }
})

test('a refusal says what to do: log in, or see which engines there are', async () => {
  const denied = { status: 403, body: { errors: ['permission denied'] } }
  const answers = { '*': denied }
  match((await run(answers, ['read', 'a'])).err, /hint: see what the token is and may do/)
  await using vault = await fakeVault(answers)
  const bare = await runCli(['read', 'a'], { env: { VAULT_ADDR: vault.address } })
  match(bare.err, /hint: there is no token here: coffer login, or set VAULT_TOKEN/)
  const missing = { status: 400, body: { errors: ['plugin not found in the catalog: foo'] } }
  match((await run({ '*': missing }, ['secrets', 'enable', 'foo'])).err, /coffer plugin list/)
})

test('token capabilities prints what may be done, sorted', async () => {
  const answer = envelopeOf({ 'secret/a': ['update', 'read'], capabilities: ['update', 'read'] })
  const own = await run({ 'POST sys/capabilities-self': answer }, [
    'token',
    'capabilities',
    'secret/a',
  ])
  equal(own.out, 'read, update\n')
  equal(own.asked[0]?.body, '{"paths":["secret/a"]}')
  const other = await run({ 'POST sys/capabilities': answer }, [
    'token',
    'capabilities',
    'hvs.a',
    'secret/a',
  ])
  equal(other.asked[0]?.body, '{"token":"hvs.a","paths":["secret/a"]}')
})

test('policy read prints the text, and exits with 2 when there is none', async () => {
  const answers = { 'GET sys/policies/acl/app': envelopeOf({ name: 'app', policy: '\n# p\n' }) }
  equal((await run(answers, ['policy', 'read', 'App'])).out, '# p\n')
  const json = await run(answers, ['policy', 'read', '-format=json', 'app'])
  deepEqual(JSON.parse(json.out), { policy: '\n# p\n' })
  const none = await run(answers, ['policy', 'read', 'x'])
  equal(none.code, 2)
  equal(none.err, 'No policy named: x\n')
})

test('policy write sends a file or standard input, under a lower-case name', async () => {
  const file = join(folder, 'p.hcl')
  writeFileSync(file, 'path "a" {}\n')
  const done = { '*': { status: 204 } }
  const written = await run(done, ['policy', 'write', 'App', file])
  equal(written.asked[0]?.path, 'sys/policies/acl/app')
  equal(written.asked[0]?.body, '{"policy":"path \\"a\\" {}\\n"}')
  equal(written.out, 'Success! Uploaded policy: app\n')
  equal(
    (await run(done, ['policy', 'write', 'app', '-'], '# none')).asked[0]?.body,
    '{"policy":"# none"}',
  )
  equal((await run(done, ['policy', 'write', 'app', '-'], ' ')).code, 1)
  equal((await run(done, ['policy', 'write', 'app', '/nonexistent'])).code, 2)
})

test('policy fmt formats in place, and leaves alone what it cannot read', async () => {
  const file = join(folder, 'f.hcl')
  writeFileSync(file, 'path   "a" {\ncapabilities=["read"]\n}')
  equal((await run({}, ['policy', 'fmt', file])).out, `Success! Formatted policy: ${file}\n`)
  equal(readFileSync(file, 'utf8'), 'path "a" {\n  capabilities = ["read"]\n}\n')
  writeFileSync(file, 'path "a" {')
  equal((await run({}, ['policy', 'fmt', file])).code, 1)
  equal(readFileSync(file, 'utf8'), 'path "a" {')
})

const mount = {
  type: 'kv',
  accessor: 'kv_1',
  description: '',
  uuid: 'u',
  config: { default_lease_ttl: 0, max_lease_ttl: 60, force_no_cache: false },
  options: { version: '2' },
  local: false,
  seal_wrap: false,
}

test('secrets list and auth list are the tables of Vault', async () => {
  const answers = {
    'GET sys/mounts': envelopeOf({ 'secret/': mount, 'a/': { ...mount, description: 'mine' } }),
    'GET sys/auth': envelopeOf({ 'token/': { ...mount, type: 'token' } }),
  }
  equal(
    (await run(answers, ['secrets', 'list'])).out,
    'Path       Type    Accessor    Description\n----       ----    --------    -----------\n' +
      'a/         kv      kv_1        mine\nsecret/    kv      kv_1        n/a\n',
  )
  const detailed = (await run(answers, ['secrets', 'list', '-detailed'])).out
  match(
    detailed,
    /^a\/ +kv +kv_1 +system +60 +false +replicated +false +n\/a +map\[version:2\] +mine +u/m,
  )
  match((await run(answers, ['auth', 'list'])).out, /^token\/ +token +kv_1 +n\/a +n\/a$/m)
  const json = await run(answers, ['secrets', 'list', '-format=json'])
  deepEqual(Object.keys(JSON.parse(json.out) as object), ['a/', 'secret/'])
})

test('a list that the server does not have is an error, and an empty one is not', async () => {
  const lacking = { '*': { status: 404, body: { errors: ['unsupported path'] } } }
  for (const line of [
    'secrets list',
    'auth list',
    'operator key-status',
    'namespace list',
    'plugin list',
  ]) {
    const { code, out, err } = await run(lacking, line.split(' '))
    equal(code, 2, line)
    equal(out, '')
    match(err, /Code: 404\. Errors:\n\n\* unsupported path/)
  }
  const none = await run({ '*': { status: 404, body: { errors: [] } } }, ['namespace', 'list'])
  equal(none.err, 'No namespaces found\n')
})

test('audit list without devices exits with 2', async () => {
  const none = await run({ 'GET sys/audit': envelopeOf({}) }, ['audit', 'list'])
  equal(none.code, 2)
  equal(none.out, 'No audit devices are enabled.\n')
})

test('secrets move waits for the end, and tells a failure', async () => {
  const status = (word: string) =>
    envelopeOf({ migration_id: 'm', migration_info: { status: word } })
  const answers: Answers = {
    'POST sys/remount': envelopeOf({ migration_id: 'm' }),
    'GET sys/remount/status/m': [status('in-progress'), status('success')],
  }
  const moved = await run(answers, ['secrets', 'move', 'a', 'b/'])
  equal(moved.asked[0]?.body, '{"from":"a/","to":"b/"}')
  match(moved.out, /Success! Finished moving secrets engine a\/ to b\/, with migration ID m\n$/)
  const failed = { ...answers, 'GET sys/remount/status/m': status('failure') }
  equal((await run(failed, ['auth', 'move', 'auth/a', 'b'])).code, 2)
})

test('auth help says how to log in, by type or by mount', async () => {
  const answers = { 'GET sys/auth': envelopeOf({ 'staff/': { type: 'userpass' } }) }
  match((await run(answers, ['auth', 'help', 'approle'])).out, /login -method=approle role_id=<id>/)
  match(
    (await run(answers, ['auth', 'help', 'staff/'])).out,
    /login -method=userpass username=<name>/,
  )
  equal((await run(answers, ['auth', 'help', 'nobody'])).code, 2)
})

test('plugin list is sorted by type, then name', async () => {
  const detailed = [
    { name: 'kv', type: 'secret', version: 'v1' },
    { name: 'approle', type: 'auth', version: 'v2' },
  ]
  const answers = { 'GET sys/plugins/catalog': envelopeOf({ detailed }) }
  match((await run(answers, ['plugin', 'list'])).out, /approle +auth +v2\nkv +secret +v1\n$/)
  match((await run(answers, ['plugin', 'list', 'secret'])).out, /-------\nkv +secret +v1\n$/)
})

test('unwrap with no token of its own opens the wrapping token by itself', async () => {
  await using vault = await fakeVault({ '*': envelopeOf({ a: 1 }) })
  const ran = await runAgainst(vault, ['unwrap', '-field=a', 'hvs.w'], { env: { VAULT_TOKEN: '' } })
  equal(ran.out, '1')
  equal(vault.asked[0]?.headers['x-vault-token'], 'hvs.w')
  equal(vault.asked[0]?.body, '{}')
})

test('path-help prints the help of a path', async () => {
  const answers = {
    'GET secret?help=1': { body: { help: '## DESCRIPTION\n\nkv\n', see_also: null } },
  }
  equal((await run(answers, ['path-help', 'secret/'])).out, '## DESCRIPTION\n\nkv\n')
})

test('an index is written whole or not at all, and counts only with the key that was named', async () => {
  const signer = ed25519Signer(Buffer.alloc(32, 7))
  const index = JSON.stringify(makeIndex([], { now: 0 }))
  const [signature, key] = [signer.sign(index), signer.publicKey].map((bytes) =>
    bytes.toString('base64'),
  )
  const data = { index, signature, public_key: key, secrets: 0, left_out: 0, truncated: false }
  const [file, before] = [join(folder, 'own.index'), join(folder, 'before.index')]
  writeFileSync(file, 'what was there')
  // The same file by another name: had it been written over in place, so would this be.
  linkSync(file, before)
  const answers = (told: object) => ({ 'PUT sys/coffer/fingerprints': envelopeOf(told) })
  const argv = ['fingerprints', `-out=${file}`]
  for (const wrong of [{ ...data, signature: key }, { ...data, index: `${index} ` }, {}]) {
    equal((await run(answers(wrong), argv)).code, 1)
    equal(readFileSync(file, 'utf8'), 'what was there')
  }
  const { code, out } = await run(answers(data), argv)
  equal(code, 0)
  match(out, new RegExp(`Signed with the key: ${key!.replaceAll('+', '\\+')}`))
  equal(readFileSync(before, 'utf8'), 'what was there')
  equal(statSync(file).mode & 0o777, 0o600)
  deepEqual(
    readdirSync(folder).filter((name) => name.startsWith('.')),
    [],
  )
  match(
    (await run(answers(data), ['fingerprints', `-out=${folder}/no/x`])).err,
    /cannot be written/,
  )

  const scan = (...more: string[]) =>
    run({}, ['scrub', `-index=${file}`, '-rules=false', ...more], 'x\n')
  equal((await scan(`-index-key=${key}`)).out, 'x\n')
  const other = await scan(`-index-key=${signature!.slice(0, 44)}`)
  deepEqual([other.code, other.out], [1, ''])
  match(other.err, /another key than that of -index-key has signed it/)
  const text = readFileSync(file, 'utf8')
  for (const half of [text.slice(0, 100), text.slice(0, -20), '', '[]', '{"index":{}}', 'null']) {
    writeFileSync(file, half)
    equal((await scan()).code, 1, half)
  }
})
