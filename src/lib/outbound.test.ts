import { deepEqual, equal, ok, rejects } from 'node:assert/strict'
import { createServer } from 'node:net'
import { type AddressInfo } from 'node:net'
import { test } from 'node:test'
import { authority, certificate, SERVER_AUTH } from '../../test/support/authority.ts'
import { webServer } from '../../test/support/web-server.ts'
import { jsonOf, outbound } from './outbound.ts'

const failure = (message: string | RegExp) => ({ name: 'OutboundError', message })

test('outbound() refuses addresses that are not of the web', async () => {
  for (const url of ['', 'x', 'file:///etc/passwd', 'ftp://h/', 'data:,x', 'javascript:1']) {
    await rejects(outbound({ url }), failure('has no address that starts with http:// or https://'))
  }
})

test('outbound() does not follow to another server', async () => {
  const elsewhere = await webServer({ '/': () => ({ body: {} }) })
  const to = (location: string) => () => ({ status: 302, headers: { location } })
  const web = await webServer({
    '/away': to(elsewhere.url),
    '/file': to('file:///etc/passwd'),
    '/loop': to('/loop'),
    '/near': to('/end?x=1'),
    '/end': ({ url }) => ({ body: { query: url.search } }),
  })
  try {
    const sent = failure('was sent on to another server')
    await rejects(outbound({ url: `${web.url}/away` }), sent)
    await rejects(outbound({ url: `${web.url}/file` }), sent)
    await rejects(outbound({ url: `${web.url}/loop` }), failure('was sent on too often'))
    deepEqual(jsonOf(await outbound({ url: `${web.url}/near` })), { query: '?x=1' })
    // What is posted goes nowhere else, not even within the server.
    equal((await outbound({ url: `${web.url}/near`, method: 'POST', body: 'x' })).status, 302)
    deepEqual(elsewhere.asked, [])
  } finally {
    await web.close()
    await elsewhere.close()
  }
})

test('outbound() reads no more than it was told', async () => {
  const web = await webServer({ '/': () => ({ body: 'x'.repeat(100) }) })
  try {
    await rejects(outbound({ url: web.url, bytesMax: 99 }), failure('answered with too much'))
    equal((await outbound({ url: web.url, bytesMax: 100 })).text.length, 100)
  } finally {
    await web.close()
  }
})

test('outbound() waits no longer than it was told', async () => {
  // Takes the connection and says nothing.
  const silent = createServer(() => {})
  await new Promise<void>((done) => void silent.listen(0, '127.0.0.1', done))
  const { port } = silent.address() as AddressInfo
  await rejects(
    outbound({ url: `http://127.0.0.1:${port}/`, timeoutMs: 20 }),
    failure('did not answer in time'),
  )
  silent.close()
  await rejects(
    outbound({ url: `http://127.0.0.1:${port}/?secret` }),
    failure('could not be reached (ECONNREFUSED)'),
  )
})

test('outbound() trusts the authorities it is given, and those only', async () => {
  const far = { notAfter: new Date(Date.now() + 86_400_000) }
  const [ours, theirs] = [await authority('ours', far), await authority('theirs', far)]
  const names = [{ type: 'ip' as const, value: '127.0.0.1' }]
  const server = await certificate({ subject: 'CN=s', usages: [SERVER_AUTH], names, ...far }, ours)
  const web = await webServer(
    { '/': () => ({ body: { ok: true } }) },
    { cert: server.pem, key: server.keyPem },
  )
  try {
    await rejects(outbound({ url: web.url }), failure(/^could not be reached \([A-Z_]+\)$/))
    await rejects(outbound({ url: web.url, caPem: theirs.pem }), failure(/^could not be reached/))
    deepEqual(jsonOf(await outbound({ url: web.url, caPem: ours.pem })), { ok: true })
  } finally {
    await web.close()
  }
})

test('jsonOf() tells neither what came nor from where', async () => {
  const web = await webServer({
    '/text': () => ({ body: 'canary' }),
    '/broken': () => ({ status: 500, body: 'canary' }),
  })
  try {
    const ask = async (path: string) => jsonOf(await outbound({ url: web.url + path }))
    await rejects(ask('/text'), failure('did not answer with JSON'))
    await rejects(ask('/broken'), failure('answered with status 500'))
    const told = await outbound({ url: `${web.url}/text`, headers: { 'x-a': 'b' } })
    ok(told.header('content-type'))
  } finally {
    await web.close()
  }
})
