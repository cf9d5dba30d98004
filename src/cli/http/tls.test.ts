/** TLS as people configure it: an own authority, another name, a client certificate. */
import { equal, match } from 'node:assert/strict'
import { spawnSync } from 'node:child_process'
import { mkdirSync, mkdtempSync, readFileSync, rmSync } from 'node:fs'
import { createServer } from 'node:https'
import { type AddressInfo } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { type TLSSocket } from 'node:tls'
import { after, before, test } from 'node:test'
import { runCli } from '../../../test/support/fake-vault.ts'

const folder = mkdtempSync(join(tmpdir(), 'coffer-tls-'))
const [cert, key] = [join(folder, 'cert.pem'), join(folder, 'key.pem')]
const made = spawnSync(
  'openssl',
  // oxfmt-ignore
  ['req', '-x509', '-newkey', 'ec', '-pkeyopt', 'ec_paramgen_curve:P-256', '-nodes', '-days', '2',
   '-subj', '/CN=vault.test', '-addext', 'subjectAltName=DNS:vault.test', '-keyout', key, '-out', cert],
)
const skip = made.status === 0 ? false : 'needs openssl to make a certificate'
const server =
  skip === false
    ? createServer(
        {
          cert: readFileSync(cert),
          key: readFileSync(key),
          ca: readFileSync(cert),
          requestCert: true,
          rejectUnauthorized: false,
        },
        (request, response) => {
          const peer = (request.socket as TLSSocket).getPeerCertificate()
          response.end(JSON.stringify({ data: { client: peer.subject?.CN ?? 'nobody' } }))
        },
      )
    : undefined
let address = ''
before(async () => {
  if (server === undefined) return
  await new Promise<void>((done) => server.listen(0, '127.0.0.1', done))
  address = `https://127.0.0.1:${(server.address() as AddressInfo).port}`
})
after(() => {
  server?.closeAllConnections()
  server?.close()
  rmSync(folder, { recursive: true })
})

const read = (...flags: string[]) =>
  runCli(['read', `-address=${address}`, '-field=client', ...flags, 'a'])

test('an unknown authority is refused, with what to do', { skip }, async () => {
  const { code, err } = await read('-tls-server-name=vault.test')
  equal(code, 2)
  match(err, /tls: failed to verify certificate: /)
  match(err, /\nhint: trust the authority of the server with -ca-cert=<file> or VAULT_CACERT\n$/)
})

test('another name than that of the server is refused', { skip }, async () => {
  const { code, err } = await read(`-ca-cert=${cert}`)
  equal(code, 2)
  match(err, /failed to verify certificate: .*altnames/)
})

test('-ca-cert and -tls-server-name make it good', { skip }, async () => {
  const { code, out } = await read(`-ca-cert=${cert}`, '-tls-server-name=vault.test')
  equal(code, 0)
  equal(out, 'nobody')
})

test('-ca-path takes every certificate of a folder', { skip }, async () => {
  const { code } = await read(`-ca-path=${folder}`, '-tls-server-name=vault.test')
  equal(code, 0)
  const empty = join(folder, 'empty')
  mkdirSync(empty)
  equal((await read(`-ca-path=${empty}`, '-tls-server-name=vault.test')).code, 2)
})

test('-tls-skip-verify asks for no certificate at all', { skip }, async () => {
  equal((await read('-tls-skip-verify')).code, 0)
})

test('a client certificate needs its key, and is shown to the server', { skip }, async () => {
  equal((await read('-tls-skip-verify', `-client-cert=${cert}`)).code, 1)
  const { out } = await read('-tls-skip-verify', `-client-cert=${cert}`, `-client-key=${key}`)
  equal(out, 'vault.test')
})

test('a file that is not there is a mistake of ours, not of the server', { skip }, async () => {
  const { code, err } = await read('-ca-cert=/nonexistent.pem')
  equal(code, 1)
  match(err, /^cannot read the file of -ca-cert: /)
})

test('plain HTTP to a server that speaks TLS says so', { skip }, async () => {
  const { code, err } = await runCli(['read', `-address=${address.replace('https', 'http')}`, 'a'])
  equal(code, 2)
  match(err, new RegExp(`hint: if it speaks TLS: export VAULT_ADDR=${address}\n$`))
})
