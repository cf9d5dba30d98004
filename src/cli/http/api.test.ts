import { deepEqual, doesNotMatch, equal, match, ok } from 'node:assert/strict'
import { createServer } from 'node:http'
import { type AddressInfo } from 'node:net'
import { test } from 'node:test'
import { envelopeOf, fakeVault, runAgainst, runCli } from '../../../test/support/fake-vault.ts'

const denied = { status: 403, body: { errors: ['1 error occurred:\n\t* permission denied\n\n'] } }

test('a refusal is printed in the words of Vault, with exit code 2', async () => {
  await using vault = await fakeVault({ 'GET secret/x': denied })
  const { code, out, err } = await runAgainst(vault, ['read', 'secret/x'])
  equal(code, 2)
  equal(out, '')
  equal(
    err,
    `Error reading secret/x: Error making API request.\n\nURL: GET ${vault.address}/v1/secret/x\n` +
      'Code: 403. Errors:\n\n* 1 error occurred:\n\t* permission denied\n\n\n' +
      'hint: see what the token is and may do: coffer token lookup\n',
  )
})

test('a refusal that is not JSON is shown as it came', async () => {
  await using vault = await fakeVault({ '*': { status: 418, body: 'I am a teapot' } })
  const { code, err } = await runAgainst(vault, ['write', '-f', 'a'])
  equal(code, 2)
  match(err, /Code: 418\. Raw Message:\n\nI am a teapot\n$/)
})

test('a sealed server is told from others, with the next step', async () => {
  await using vault = await fakeVault({
    '*': { status: 503, body: { errors: ['Vault is sealed'] } },
  })
  const { code, err } = await runAgainst(vault, ['read', 'a'])
  equal(code, 2)
  match(
    err,
    /Code: 503\. Errors:\n\n\* Vault is sealed\nhint: unseal it first: coffer operator unseal\n$/,
  )
})

test('a rotation that takes longer is told with how to see it', async () => {
  const errors = ['"a" is not rotated yet: it has come to APPLYING so far; it goes on by itself']
  await using vault = await fakeVault({ '*': { status: 504, body: { errors } } })
  const { code, err } = await runAgainst(vault, ['read', 'a'])
  equal(code, 2)
  match(err, /by itself\nhint: see how it stands: coffer rotate status <path>\n$/)
})

test('5xx and 412 are tried twice more, and 501 and 4xx are not', async () => {
  for (const [status, tries] of [
    [500, 3],
    [502, 3],
    [412, 3],
    [501, 1],
    [400, 1],
    [429, 1],
  ] as const) {
    await using vault = await fakeVault({ '*': { status, body: { errors: [] } } })
    equal((await runAgainst(vault, ['read', 'a'])).code, 2)
    equal(vault.asked.length, tries, `${status}`)
  }
})

test('a try that succeeds ends the tries', async () => {
  const answers = [{ status: 500, body: { errors: [] } }, envelopeOf({ a: 1 })]
  await using vault = await fakeVault({ 'GET a': answers })
  equal((await runAgainst(vault, ['read', '-field=a', 'a'])).out, '1')
  equal(vault.asked.length, 2)
})

test('VAULT_MAX_RETRIES=0 tries once', async () => {
  await using vault = await fakeVault({ '*': { status: 500, body: { errors: [] } } })
  await runAgainst(vault, ['read', 'a'], { env: { VAULT_MAX_RETRIES: '0' } })
  equal(vault.asked.length, 1)
})

test('a redirect is followed with the body and the token', async () => {
  await using leader = await fakeVault({ 'PUT a': envelopeOf({ ok: true }) })
  const location = `${leader.address}/v1/a`
  await using vault = await fakeVault({ '*': { status: 307, headers: { location } } })
  const { code, out } = await runAgainst(vault, ['write', '-field=ok', 'a', 'k=v'])
  equal(code, 0)
  equal(out, 'true')
  const [asked] = leader.asked
  equal(asked?.body, '{"k":"v"}')
  equal(asked?.headers['x-vault-token'], 'hvs.fake')
})

test('a redirect that goes in circles ends', async () => {
  await using vault = await fakeVault({ '*': { status: 307, headers: { location: '/v1/a' } } })
  equal((await runAgainst(vault, ['read', 'a'])).code, 2)
  equal(vault.asked.length, 4)
})

test('a request carries what the flags and the environment say', async () => {
  await using vault = await fakeVault({ '*': envelopeOf({}) })
  const flags = ['-ns=/team/', '-wrap-ttl=5m', '-mfa=m1', '-mfa=m2:k=v', '-header=X-Mine=1']
  await runAgainst(vault, ['read', ...flags, 'a/b c', 'q=1', 'q=2'])
  const [asked] = vault.asked
  equal(asked?.path, 'a/b%20c?q=1&q=2')
  equal(asked?.headers['x-vault-request'], 'true')
  equal(asked?.headers['x-vault-namespace'], 'team/')
  equal(asked?.headers['x-vault-wrap-ttl'], '300s')
  equal(asked?.headers['x-vault-mfa'], 'm1, m2:k=v')
  equal(asked?.headers['x-mine'], '1')
})

test('-header cannot take the place of a header of Vault', async () => {
  const { code, err } = await runCli(['read', '-header=X-Vault-Token=hunter2', 'a'])
  equal(code, 1)
  doesNotMatch(err, /hunter2/)
})

test('COFFER_ADDR wins over VAULT_ADDR, and -address over both', async () => {
  await using vault = await fakeVault({ '*': envelopeOf({ a: 1 }) })
  const elsewhere = 'http://127.0.0.1:1'
  const env = { COFFER_ADDR: vault.address, VAULT_ADDR: elsewhere }
  equal((await runCli(['read', 'a'], { env })).code, 0)
  const flag = ['read', `-address=${vault.address}/`, 'a']
  equal((await runCli(flag, { env: { COFFER_ADDR: elsewhere } })).code, 0)
  equal((await runCli(['read', 'a'], { env: { VAULT_ADDR: elsewhere } })).code, 2)
})

test('BAO_ADDR counts under the name of bao and no other', async () => {
  const env = { BAO_ADDR: 'http://bao:1', VAULT_ADDR: 'http://vault:1' }
  const ask = async (program: string) =>
    (await runCli(['read', '-output-curl-string', 'a'], { env, program })).out
  match(await ask('bao'), /http:\/\/bao:1/)
  match(await ask('vault'), /http:\/\/vault:1/)
})

test('an address that is none is refused before anything is sent', async () => {
  for (const address of ['nonsense', 'ftp://h', 'http://']) {
    const { code, err } = await runCli(['read', `-address=${address}`, 'a'])
    equal(code, 1, address)
    match(err, /the address must look like https:\/\/host:8200/)
  }
})

test('a token with a newline in it is refused, and not shown', async () => {
  await using vault = await fakeVault({ '*': envelopeOf({}) })
  const { code, err } = await runAgainst(vault, ['read', 'a'], {
    env: { VAULT_TOKEN: 'hvs.hunter2\nX: y' },
  })
  equal(code, 1)
  doesNotMatch(err, /hunter2/)
  equal(vault.asked.length, 0)
})

test('no server: says so, and how to start one', async () => {
  const { code, err } = await runCli(['read', 'a'], { env: { VAULT_ADDR: 'http://127.0.0.1:1' } })
  equal(code, 2)
  equal(
    err,
    'Error reading a: Get "http://127.0.0.1:1/v1/a": dial tcp 127.0.0.1:1: connect: connection refused\n' +
      'hint: is the server running? start one: coffer server -dev, or set VAULT_ADDR\n',
  )
})

test('TLS to a server without it: says so, with the address to use', async () => {
  await using vault = await fakeVault({})
  const address = vault.address.replace('http:', 'https:')
  const { code, err } = await runCli(['read', 'a'], { env: { VAULT_ADDR: address } })
  equal(code, 2)
  match(err, /http: server gave HTTP response to HTTPS client\n/)
  ok(err.endsWith(`hint: the server speaks plain HTTP: export VAULT_ADDR=${vault.address}\n`), err)
})

test('a server that does not answer in time is given up', async () => {
  const silent = createServer(() => undefined)
  await new Promise<void>((done) => silent.listen(0, '127.0.0.1', done))
  const { port } = silent.address() as AddressInfo
  const env = { VAULT_ADDR: `http://127.0.0.1:${port}`, VAULT_CLIENT_TIMEOUT: '200ms' }
  const { code, err } = await runCli(['read', 'a'], { env })
  silent.closeAllConnections()
  silent.close()
  equal(code, 2)
  match(err, /request timed out/)
})

test('-output-curl-string prints the command, never the token, and sends nothing', async () => {
  await using vault = await fakeVault({})
  const argv = ['write', '-output-curl-string', 'kv/a', "note=it's $HOME"]
  const { code, out } = await runAgainst(vault, argv)
  equal(code, 0)
  equal(vault.asked.length, 0)
  equal(
    out,
    'curl -X PUT -H "X-Vault-Request: true" -H "X-Vault-Token: $(coffer print token)" ' +
      `-H "Content-Type: application/json" -d '{"note":"it'"'"'s $HOME"}' ${vault.address}/v1/kv/a\n`,
  )
})

test('-output-policy prints what the request needs', async () => {
  const ask = async (...argv: string[]) => (await runCli([...argv, '-output-policy'])).out
  equal(await ask('read', 'a/b'), 'path "a/b" {\n  capabilities = ["read"]\n}\n')
  match(await ask('list', 'a/b'), /\["list"\]/)
  match(await ask('write', '-f', 'a'), /\["create", "update"\]/)
  match(await ask('patch', '-f', 'a'), /\["patch"\]/)
  match(await ask('delete', 'sys/auth/x'), /\["delete", "sudo"\]/)
  match(await ask('write', '-f', 'sys/seal'), /\["create", "update", "sudo"\]/)
})

test('an answer that is no object of JSON is an error, not a crash', async () => {
  for (const body of ['<html>', '[]', '"x"']) {
    await using vault = await fakeVault({ '*': { status: 200, body } })
    const { code, err } = await runAgainst(vault, ['read', 'a'])
    equal(code, 2)
    match(err, /Error reading a: the answer of the server is not a JSON object\nhint: /)
  }
})

test('writes go out as PUT, lists as GET with list=true, patches as a merge patch', async () => {
  await using vault = await fakeVault({ '*': { status: 204 } })
  await runAgainst(vault, ['write', 'a', 'k=v'])
  await runAgainst(vault, ['patch', 'a', 'k=v'])
  await runAgainst(vault, ['list', 'a/'])
  await runAgainst(vault, ['delete', 'a'])
  deepEqual(
    vault.asked.map(({ method, path }) => `${method} ${path}`),
    ['PUT a', 'PATCH a', 'GET a?list=true', 'DELETE a'],
  )
  equal(vault.asked[1]?.headers['content-type'], 'application/merge-patch+json')
})
