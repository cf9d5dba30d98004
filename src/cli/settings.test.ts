import { equal, match } from 'node:assert/strict'
import { test } from 'node:test'
import { runCli } from '../../test/support/fake-vault.ts'

// oxfmt-ignore
const wrong: [name: string, value: string, says: RegExp][] = [
  ['VAULT_SKIP_VERIFY', 'maybe', /VAULT_SKIP_VERIFY must be true or false/],
  ['VAULT_MAX_RETRIES', '-1', /VAULT_MAX_RETRIES must be a small whole number/],
  ['VAULT_CLIENT_TIMEOUT', '0', /VAULT_CLIENT_TIMEOUT must be a duration like 30s/],
  ['VAULT_CLIENT_TIMEOUT', 'soon', /VAULT_CLIENT_TIMEOUT must be a duration like 30s/],
  ['VAULT_FORMAT', 'xml', /Invalid output format: it must be one of/],
]
for (const [name, value, says] of wrong) {
  test(`${name}=${value} is refused`, async () => {
    const { code, err } = await runCli(['status'], { env: { [name]: value } })
    equal(code, 1)
    match(err, says)
  })
}

const curl = async (env: Record<string, string>, ...argv: string[]) =>
  (await runCli(['read', '-output-curl-string', ...argv, 'a'], { env })).out

test('an address is Vault’s own by default', async () => {
  match(await curl({}), / https:\/\/127\.0\.0\.1:8200\/v1\/a\n$/)
})

test('an address may have a path of its own', async () => {
  match(await curl({ VAULT_ADDR: 'https://h/vault/' }), / https:\/\/h\/vault\/v1\/a\n$/)
})

test('an empty variable is no variable', async () => {
  match(await curl({ COFFER_ADDR: '', VAULT_ADDR: 'http://v:1' }), / http:\/\/v:1\/v1\/a\n$/)
})

test('the namespace and the time of wrapping come from the environment', async () => {
  const out = await curl({ VAULT_NAMESPACE: 'team', VAULT_WRAP_TTL: '5m' })
  match(out, /-H "X-Vault-Namespace: team\/"/)
  match(out, /-H "X-Vault-Wrap-TTL: 5m"/)
  match(await curl({ VAULT_NAMESPACE: 'team' }, '-namespace=other'), /X-Vault-Namespace: other\//)
})

test('a certificate that nobody checks is said in the curl line', async () => {
  match(await curl({ VAULT_SKIP_VERIFY: 'true' }), /^curl --insecure /)
})
