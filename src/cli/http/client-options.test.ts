import { deepEqual, equal } from 'node:assert/strict'
import { once } from 'node:events'
import { createServer } from 'node:http'
import { type AddressInfo } from 'node:net'
import { test } from 'node:test'
import { connect } from '../../client/connect.ts'
import { clientOptions } from './client-options.ts'

test('clientOptions() lets a stream through as it comes, and lets go of it when it is ended', async (t) => {
  const event = { id: '1', type: 'kv.write', path: 'secret/app', time: 'now' }
  const gone = Promise.withResolvers<void>()
  const server = createServer((request, response) => {
    if (!request.url?.startsWith('/v1/sys/coffer/watch')) {
      response.end('{"request_id":"r","data":{"id":"t","ttl":0}}')
      return
    }
    response.on('close', gone.resolve)
    response.writeHead(200, { 'content-type': 'text/event-stream' })
    // It is never ended: only what comes in pieces can be seen.
    response.write(`id: 1\ndata: ${JSON.stringify(event)}\n\n`)
  })
  t.after(() => server.close())
  await once(server.listen(0, '127.0.0.1'), 'listening')
  const { port } = server.address() as AddressInfo
  const settings = {
    address: `http://127.0.0.1:${port}`,
    token: 't',
    namespace: undefined,
    headers: [],
    timeoutSeconds: 60,
    retriesMax: 0,
    tls: { skipVerify: false },
  }
  const client = await connect(clientOptions({ settings, io: { env: {} } } as never))
  const seen = []
  for await (const told of client.watch('secret/')) {
    seen.push(told)
    break
  }
  deepEqual(seen, [event])
  await gone.promise
  // What is no stream comes whole, with its status.
  equal((await client.read('auth/token/lookup-self')).data?.['id'], 't')
  await client.close()
})
