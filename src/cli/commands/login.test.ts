import { deepEqual, doesNotMatch, equal, match, throws } from 'node:assert/strict'
import { mkdtempSync, readFileSync, rmSync, statSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { after, beforeEach, test } from 'node:test'
import { type Answers, envelopeOf, fakeVault, runCli } from '../../../test/support/fake-vault.ts'

const home = mkdtempSync(join(tmpdir(), 'coffer-login-'))
const file = join(home, '.vault-token')
beforeEach(() => rmSync(file, { force: true }))
after(() => rmSync(home, { recursive: true }))

const auth = {
  client_token: 'hvs.new',
  accessor: 'acc',
  policies: ['default'],
  token_policies: ['default'],
  lease_duration: 3600,
  renewable: true,
}
const answers: Answers = {
  'GET auth/token/lookup-self': envelopeOf({
    accessor: 'acc',
    policies: ['root'],
    ttl: 0,
    renewable: false,
  }),
  'PUT auth/userpass/login/ana': envelopeOf(null, { auth }),
  'PUT auth/apps/login': envelopeOf(null, { auth }),
}

async function login(
  argv: string[],
  options: { stdin?: string; env?: Record<string, string> } = {},
) {
  await using vault = await fakeVault(answers)
  const env = { VAULT_ADDR: vault.address, ...options.env }
  const ran = await runCli(['login', ...argv], { ...options, env, home })
  return { ...ran, asked: vault.asked }
}

test('login refuses an unknown method before it sends anything', async () => {
  const { code, err, asked } = await login([
    '-method=userpas',
    'username=ana',
    'password=swordfish',
  ])
  equal(code, 1)
  match(err, /^Unknown auth method: userpas\nhint: did you mean -method=userpass\?\n$/)
  doesNotMatch(err, /swordfish/)
  equal(asked.length, 0)
})

test('login refuses -no-store with -no-print', async () => {
  equal((await login(['-no-store', '-no-print', 'hvs.a'])).code, 1)
})

test('login with a token that is refused keeps nothing and shows nothing of it', async () => {
  await using vault = await fakeVault({
    '*': { status: 403, body: { errors: ['permission denied'] } },
  })
  const { code, err } = await runCli(['login', 'hvs.swordfish'], {
    env: { VAULT_ADDR: vault.address },
    home,
  })
  equal(code, 2)
  match(err, /^Error authenticating: error looking up token: /)
  doesNotMatch(err, /swordfish/)
  throws(() => readFileSync(file), /ENOENT/)
})

test('login keeps a good token in ~/.vault-token, for its owner alone', async () => {
  const { code, out, asked } = await login(['hvs.good'])
  equal(code, 0)
  equal(asked[0]?.headers['x-vault-token'], 'hvs.good')
  equal(readFileSync(file, 'utf8'), 'hvs.good')
  equal(statSync(file).mode & 0o777, 0o600)
  match(out, /^Success! You are now authenticated\./)
  match(out, /^token_duration +∞$/m)
})

test('login asks for the token, and takes it from standard input', async () => {
  const { err } = await login([], { stdin: 'hvs.piped\n' })
  match(err, /^Token \(will be hidden\): \n/)
  equal(readFileSync(file, 'utf8'), 'hvs.piped')
  await login(['-'], { stdin: 'hvs.dash\n' })
  equal(readFileSync(file, 'utf8'), 'hvs.dash')
  equal((await login(['-non-interactive'], { stdin: 'hvs.x' })).code, 1)
})

test('login by user name asks for the password, and sends no old token', async () => {
  const options = { stdin: 'swordfish', env: { VAULT_TOKEN: 'hvs.old' } }
  const { code, out, err, asked } = await login(['-method=userpass', 'username=ana'], options)
  equal(code, 0)
  deepEqual(JSON.parse(asked[0]!.body), { password: 'swordfish' })
  equal(asked[0]?.headers['x-vault-token'], undefined)
  equal(readFileSync(file, 'utf8'), 'hvs.new')
  match(err, /VAULT_TOKEN environment variable is set/)
  doesNotMatch(out + err, /swordfish/)
})

test('login as an application at another path prints only the token', async () => {
  const argv = ['-method=approle', '-path=apps/', '-token-only', 'role_id=r', 'secret_id=s']
  const { code, out, err, asked } = await login(argv)
  equal(code, 0)
  equal(out, 'hvs.new')
  equal(err, '')
  deepEqual(JSON.parse(asked[0]!.body), { role_id: 'r', secret_id: 's' })
  throws(() => readFileSync(file), /ENOENT/)
})

test('login without a user name says what is missing', async () => {
  const { code, err } = await login(['-method=userpass', 'password=swordfish'])
  equal(code, 1)
  match(err, /^'username' must be specified\n/)
  doesNotMatch(err, /swordfish/)
})

test('login -no-print keeps the token and says nothing', async () => {
  const { code, out } = await login(['-no-print', 'hvs.good'])
  equal(code, 0)
  equal(out, '')
  equal(readFileSync(file, 'utf8'), 'hvs.good')
})

test('login opens a wrapped token, unless it is only to be shown', async () => {
  const wrap_info = { token: 'hvs.wrapping', accessor: 'a', ttl: 60, wrapped_accessor: 'acc' }
  await using vault = await fakeVault({
    'PUT auth/userpass/login/ana': envelopeOf(null, { wrap_info }),
    'PUT sys/wrapping/unwrap': envelopeOf(null, { auth }),
  })
  const env = { VAULT_ADDR: vault.address }
  const argv = ['login', '-wrap-ttl=60s', '-method=userpass', 'username=ana', 'password=p']
  equal((await runCli(argv, { env, home })).code, 0)
  equal(readFileSync(file, 'utf8'), 'hvs.new')
  equal(vault.asked[1]?.headers['x-vault-token'], 'hvs.wrapping')
  equal(vault.asked[1]?.headers['x-vault-wrap-ttl'], undefined)
  equal((await runCli([...argv, '-token-only'], { env, home })).out, 'hvs.wrapping')
})

test('the token of the environment wins over the one that was kept', async () => {
  await login(['hvs.kept'])
  equal((await runCli(['print', 'token'], { home })).out, 'hvs.kept\n')
  equal(
    (await runCli(['print', 'token'], { home, env: { VAULT_TOKEN: 'hvs.env' } })).out,
    'hvs.env\n',
  )
})
