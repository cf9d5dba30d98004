/** TLS and a given fetch: what stands between a call and the wire. */
import { deepEqual, equal, ok, rejects } from 'node:assert/strict'
import { execFileSync, spawnSync } from 'node:child_process'
import { mkdtempSync, readFileSync, rmSync } from 'node:fs'
import { createServer } from 'node:https'
import { type AddressInfo } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { test } from 'node:test'
import { type TLSSocket } from 'node:tls'
import { connect, InvalidRequestError, NetworkError, token } from '../../src/client/client.ts'

const quick = { auth: token('fake-root'), random: () => 0, tries: 1 }
const LOOKUP = '{"request_id":"","data":{"ttl":0}}'

/** A self-signed certificate for 127.0.0.1, made for this run. */
function makeCertificate(): { cert: string; key: string } {
  const dir = mkdtempSync(join(tmpdir(), 'coffer-tls-'))
  try {
    const [key, cert] = [join(dir, 'key.pem'), join(dir, 'cert.pem')]
    const made = '-newkey ec -pkeyopt ec_paramgen_curve:prime256v1 -nodes -subj /CN=fake -days 2'
    const names = ['-addext', 'subjectAltName=IP:127.0.0.1', '-keyout', key, '-out', cert]
    execFileSync('openssl', ['req', '-x509', ...made.split(' '), ...names], { stdio: 'ignore' })
    return { cert: readFileSync(cert, 'utf8'), key: readFileSync(key, 'utf8') }
  } finally {
    rmSync(dir, { recursive: true })
  }
}

const noOpenssl = spawnSync('openssl', ['version']).status === 0 ? false : 'needs openssl'

test(
  'connect() trusts the given ca only, and shows its own certificate',
  { skip: noOpenssl },
  async () => {
    const pair = makeCertificate()
    const shown: string[] = []
    const options = { ...pair, ca: pair.cert, requestCert: true, rejectUnauthorized: false }
    const server = createServer(options, (request, answer) => {
      shown.push((request.socket as TLSSocket).getPeerCertificate().subject?.CN as string)
      answer.end(LOOKUP)
    })
    await new Promise<void>((done) => server.listen(0, '127.0.0.1', done))
    const address = `https://127.0.0.1:${(server.address() as AddressInfo).port}`
    try {
      await rejects(connect({ ...quick, address, env: {} }), (error) => {
        ok(error instanceof NetworkError)
        ok(error.message.includes('DEPTH_ZERO_SELF_SIGNED_CERT'), error.message)
        return true
      })
      const wrongName = { ca: pair.cert, serverName: 'another.example' }
      await rejects(connect({ ...quick, address, tls: wrongName, env: {} }), NetworkError)
      await using _one = await connect({ ...quick, address, tls: { ca: [pair.cert] }, env: {} })
      await using _two = await connect({
        ...quick,
        address,
        tls: { ca: pair.cert, ...pair },
        env: {},
      })
      deepEqual(shown, [undefined, 'fake'])
    } finally {
      server.closeAllConnections()
      server.close()
    }
  },
)

/** A fetch that answers each call with the next of these. */
function fetchOf(...answers: (() => Response)[]) {
  const urls: string[] = []
  const fetch = async (url: string) => {
    urls.push(url)
    const answer = answers.shift()
    if (!answer) throw new TypeError('fetch failed', { cause: { code: 'ECONNRESET' } })
    return answer()
  }
  return { fetch, urls }
}

test('a token is not sent on from https to http', async () => {
  const headers = { location: 'http://active/v1/auth/token/lookup-self' }
  const { fetch, urls } = fetchOf(() => new Response(null, { status: 307, headers }))
  await rejects(connect({ ...quick, address: 'https://standby', fetch }), InvalidRequestError)
  deepEqual(urls, ['https://standby/v1/auth/token/lookup-self'])
})

test('a given fetch is used for every call, below a path of the address too', async () => {
  const { fetch, urls } = fetchOf(
    () => new Response(LOOKUP),
    () => new Response('{"request_id":"","data":{"keys":["a"]}}'),
    () => new Response(null, { status: 204 }),
  )
  await using client = await connect({ ...quick, address: 'https://proxy/vault/', fetch })
  deepEqual(await client.list('secret/metadata'), ['a'])
  equal((await client.write('x', { a: 1 })).data, undefined)
  deepEqual(
    urls.map((url) => url.replace('https://proxy/vault/v1/', '')),
    ['auth/token/lookup-self', 'secret/metadata?list=true', 'x'],
  )
  equal(client.address, 'https://proxy/vault')
  await rejects(client.write('x'), NetworkError)
})

test('a header value that would be quoted by the runtime is refused before', async () => {
  const { fetch, urls } = fetchOf()
  const namespace = 'canary\n'
  await rejects(connect({ ...quick, address: 'https://x', fetch, namespace }), (error) => {
    ok(error instanceof InvalidRequestError)
    equal(error.message, 'x-vault-namespace holds a character that no header may carry')
    return true
  })
  equal(urls.length, 0)
})
