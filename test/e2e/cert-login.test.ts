/** The cert auth method through a real TLS listener, with certificates as openssl makes them. */
import { deepEqual, equal, match } from 'node:assert/strict'
import { spawnSync } from 'node:child_process'
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { Agent, request } from 'node:https'
import { createServer, type AddressInfo } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { after, test } from 'node:test'
import { type TLSSocket } from 'node:tls'
import { coffer } from '../support/coffer.ts'
import { http, startServer } from '../support/server.ts'

const dir = mkdtempSync(join(tmpdir(), 'coffer-cert-'))
after(() => rmSync(dir, { recursive: true, force: true }))
const path = (name: string) => join(dir, name)
const read = (name: string) => readFileSync(path(name), 'utf8')

function openssl(...args: string[]): void {
  const { status, stderr } = spawnSync('openssl', args, { cwd: dir })
  if (status !== 0) throw new Error(`openssl ${args[0]}: ${stderr.toString()}`)
}

/** `<name>.pem` and `<name>.key`, under `issuer` or under itself; `key`: that of another. */
function issue(
  name: string,
  { issuer, extensions, key }: { issuer?: string; extensions: string[]; key?: string },
): void {
  const curve = ['-newkey', 'ec', '-pkeyopt', 'ec_paramgen_curve:prime256v1', '-nodes']
  const keys = key ? ['-new', '-key', `${key}.key`] : [...curve, '-keyout', `${name}.key`]
  openssl('req', ...keys, '-subj', `/CN=${key ?? name}`, '-out', `${name}.csr`)
  writeFileSync(path(`${name}.ext`), extensions.join('\n'))
  const by = issuer
    ? ['-CA', `${issuer}.pem`, '-CAkey', `${issuer}.key`, '-CAcreateserial']
    : ['-signkey', `${name}.key`]
  const more = ['-days', '2', '-extfile', `${name}.ext`, '-out', `${name}.pem`]
  openssl('x509', '-req', '-in', `${name}.csr`, ...by, ...more)
}

const CA = ['basicConstraints=critical,CA:TRUE', 'keyUsage=critical,keyCertSign,cRLSign']
const CLIENT = ['basicConstraints=CA:FALSE', 'extendedKeyUsage=clientAuth']

/** A list of what `issuer` has revoked, as openssl writes it. */
function revoke(issuer: string, name: string): string {
  writeFileSync(path('index.txt'), '')
  writeFileSync(path('ca.cnf'), `[ca]\ndefault_ca=d\n[d]\ndatabase=index.txt\ndefault_md=sha256\n`)
  const own = ['-config', 'ca.cnf', '-cert', `${issuer}.pem`, '-keyfile', `${issuer}.key`]
  openssl('ca', ...own, '-revoke', `${name}.pem`)
  openssl('ca', ...own, '-gencrl', '-crldays', '2', '-out', 'list.pem')
  return read('list.pem')
}

async function freePort(): Promise<number> {
  const server = createServer()
  await new Promise<void>((done) => server.listen(0, '127.0.0.1', done))
  const { port } = server.address() as AddressInfo
  await new Promise((done) => server.close(done))
  return port
}

type Shown = { chain?: readonly string[]; key?: string; token?: string; agent?: Agent }
type Told = { status: number; body: Record<string, Record<string, unknown>>; resumed: boolean }

/** POST over TLS with a client certificate and what goes with it. */
function post(port: number, place: string, { chain, key, token, agent }: Shown = {}) {
  const { promise, resolve, reject } = Promise.withResolvers<Told>()
  const sent = request(
    {
      host: '127.0.0.1',
      port,
      path: `/v1/${place}`,
      method: 'POST',
      ca: read('root.pem'),
      agent: agent ?? false,
      ...(chain && { cert: chain.map((name) => read(`${name}.pem`)).join('') }),
      ...(key !== undefined && { key: read(`${key}.key`) }),
      headers: { connection: 'close', ...(token && { 'x-vault-token': token }) },
    },
    (answer) => {
      const resumed = (answer.socket as TLSSocket).isSessionReused()
      const chunks: Buffer[] = []
      answer.on('data', (chunk: Buffer) => chunks.push(chunk))
      answer.on('end', () => {
        const text = Buffer.concat(chunks).toString() || '{}'
        resolve({ status: answer.statusCode ?? 0, body: JSON.parse(text) as Told['body'], resumed })
      })
    },
  )
  sent.on('error', reject)
  sent.end()
  return promise
}

test('a client certificate logs in, is renewed with, and ends with its revocation', async () => {
  issue('root', { extensions: CA })
  issue('mid', { issuer: 'root', extensions: CA })
  issue('server', { issuer: 'root', extensions: ['subjectAltName=IP:127.0.0.1'] })
  issue('web', { issuer: 'mid', extensions: CLIENT })
  issue('sibling', { issuer: 'mid', extensions: CLIENT, key: 'web' })
  issue('stranger', { extensions: CLIENT })
  const port = await freePort()
  await using server = await startServer({
    kind: 'config',
    hcl: `listener "tcp" {
  address       = "127.0.0.1:${port}"
  tls_cert_file = "${path('server.pem')}"
  tls_key_file  = "${path('server.key')}"
}`,
  })
  const api = http(server.address, { token: server.rootToken })
  await api.write('sys/auth/cert', { type: 'cert' })
  const made = await api.write('auth/cert/certs/web', { certificate: read('root.pem') })
  equal(made.status, 204, made.text)

  const invalid = {
    errors: ['invalid certificate or no client certificate supplied'],
  }
  deepEqual((await post(port, 'auth/cert/login')).body, invalid)
  const stranger = { chain: ['stranger'], key: 'stranger' }
  deepEqual((await post(port, 'auth/cert/login', stranger)).body, invalid)
  const overHttp = await api.write('auth/cert/login', {}, { token: undefined })
  deepEqual([overHttp.status, overHttp.body], [400, invalid])

  const web = { chain: ['web', 'mid'], key: 'web' }
  const told = await post(port, 'auth/cert/login', web)
  equal(told.status, 200, JSON.stringify(told.body))
  const auth = told.body['auth'] ?? {}
  const metadata = auth['metadata'] as Record<string, string>
  deepEqual([metadata['cert_name'], metadata['common_name']], ['web', 'web'])
  match(metadata['serial_number'] ?? '', /^\d+$/)
  const token = String(auth['client_token'])

  // A client that would go on from the session of another connection has to show all it has again:
  // a session keeps its certificate, and not the one between that and the root.
  for (const maxVersion of ['TLSv1.2', 'TLSv1.3'] as const) {
    const agent = new Agent({ maxCachedSessions: 10, maxVersion })
    const first = await post(port, 'auth/cert/login', { ...web, agent })
    const second = await post(port, 'auth/cert/login', { ...web, agent })
    deepEqual([first.status, second.status, second.resumed], [200, 200, false], maxVersion)
  }

  equal((await post(port, 'auth/token/renew-self', { ...web, token })).status, 200)
  equal((await post(port, 'auth/token/renew-self', { token })).status, 400)
  const sibling = { chain: ['sibling', 'mid'], key: 'web' }
  equal((await post(port, 'auth/cert/login', sibling)).status, 200)
  equal((await post(port, 'auth/token/renew-self', { ...sibling, token })).status, 400)

  // The agent shows its certificate to the same door, and its token is one of that login.
  writeFileSync(path('chain.pem'), read('sibling.pem') + read('mid.pem'))
  const files = { ca_cert: 'root.pem', client_cert: 'chain.pem', client_key: 'web.key' }
  const shows = Object.entries(files).map(([key, name]) => `${key} = "${path(name)}"`)
  const config = (method: string) => `
    vault { address = "https://127.0.0.1:${port}" }
    auto_auth {
      method "cert" { exit_on_err = true config = { ${method} } }
      sink "file" { config = { path = "${path('token')}" } }
    }`
  const agent = async (method: string) => {
    writeFileSync(path('agent.hcl'), config(method))
    const args = ['agent', `-config=${path('agent.hcl')}`, '-exit-after-auth']
    return coffer(server, args, { env: { VAULT_ADDR: '', VAULT_TOKEN: '' } })
  }
  const other = await agent(`name = "other" ${shows.join(' ')}`)
  deepEqual([other.code, /exit_on_err/.test(other.err)], [1, true], other.err)
  const ended = await agent(`name = "web" ${shows.join(' ')}`)
  equal(ended.code, 0, ended.err)
  const self = await api.read('auth/token/lookup-self', { token: read('token') })
  deepEqual([self.at('data.path'), self.at('data.meta.cert_name')], ['auth/cert/login', 'web'])

  const listed = await api.write('auth/cert/crls/mid', { crl: revoke('mid', 'web') })
  equal(listed.status, 204, listed.text)
  await server.restart()
  // The first login after the start knows the list already.
  deepEqual((await post(port, 'auth/cert/login', web)).body, invalid)
  equal((await post(port, 'auth/token/renew-self', { ...web, token })).status, 400)
  equal((await post(port, 'auth/cert/login', sibling)).status, 200)
})
