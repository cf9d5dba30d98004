import { deepEqual, equal, match } from 'node:assert/strict'
import { createServer } from 'node:net'
import { type AddressInfo } from 'node:net'
import { test } from 'node:test'
import { type Answers, envelopeOf, fakeVault, runCli } from '../../../test/support/fake-vault.ts'

const auth = { client_token: 'hvs.new', accessor: 'a', policies: [], lease_duration: 60 }

async function freePort(): Promise<number> {
  const server = createServer()
  await new Promise<void>((done) => server.listen(0, 'localhost', done))
  const { port } = server.address() as AddressInfo
  await new Promise((done) => server.close(done))
  return port
}

/** Logs in; the fake names a page, and `answer` is what the browser then brings back. */
async function login(answer: string | undefined, authUrl = 'https://provider/auth') {
  const port = await freePort()
  let page = ''
  const visit = () =>
    setTimeout(() => {
      void fetch(`http://localhost:${port}/oidc/callback?${answer}`)
        .then((response) => response.text())
        .then((text) => (page = text))
    }, 20)
  const answers: Answers = {
    'PUT auth/oidc/oidc/auth_url': () => {
      if (answer !== undefined) visit()
      return envelopeOf({ auth_url: authUrl })
    },
    '*': envelopeOf(null, { auth }),
  }
  await using vault = await fakeVault(answers)
  const words = [`port=${port}`, 'role=dev', 'skip_browser=true']
  const argv = ['login', '-method=oidc', '-token-only', ...words]
  const ran = await runCli(argv, { env: { VAULT_ADDR: vault.address } })
  return { ...ran, port, page, asked: vault.asked }
}

test('login by OIDC ends when the server names no page', async () => {
  const { code, err } = await login(undefined, '')
  equal(code, 2)
  match(
    err,
    /no log-in page for this role\nhint: the role must exist and allow the redirect http:\/\/localhost:\d+\/oidc\/callback\n$/,
  )
})

test('login by OIDC says why the provider refused', async () => {
  const { code, err, asked } = await login('error=access_denied&error_description=not+you')
  equal(code, 2)
  match(err, /the provider refused: not you\n$/)
  equal(asked.length, 1)
})

test('login by OIDC brings the answer of the provider to the server', async () => {
  const { code, out, err, asked, port, page } = await login('state=s1&code=c1')
  equal(code, 0)
  equal(out, 'hvs.new')
  match(err, /Open this page in a browser:\n\n {4}https:\/\/provider\/auth\n/)
  match(page, /You are signed in/)
  const sent = JSON.parse(asked[0]!.body) as Record<string, string>
  equal(sent['redirect_uri'], `http://localhost:${port}/oidc/callback`)
  equal(sent['role'], 'dev')
  const url = new URL(asked[1]!.path, 'http://x/')
  equal(url.pathname, '/auth/oidc/oidc/callback')
  deepEqual(Object.fromEntries(url.searchParams), {
    code: 'c1',
    state: 's1',
    client_nonce: sent['client_nonce'],
  })
})
