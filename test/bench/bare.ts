/** What everything is measured against: a node:http server that answers one JSON body. */
import { createServer } from 'node:http'
import { type AddressInfo } from 'node:net'

const body = Buffer.from(
  `${JSON.stringify({
    request_id: '5f0ee1b5-33f6-4dd1-bd4f-b7a4b5ec4d1b',
    lease_id: '',
    renewable: false,
    lease_duration: 0,
    data: {
      data: { username: 'app', password: 'correct horse battery staple' },
      metadata: {
        created_time: '2026-01-01T00:00:00.123Z',
        custom_metadata: null,
        deletion_time: '',
        destroyed: false,
        version: 1,
      },
    },
    wrap_info: null,
    warnings: null,
    auth: null,
    mount_type: 'kv',
  })}\n`,
)
const server = createServer((_request, response) => {
  response.writeHead(200, [
    'Cache-Control',
    'no-store',
    'Content-Type',
    'application/json',
    'Content-Length',
    String(body.length),
  ])
  response.end(body)
})
server.listen(0, '127.0.0.1', () => {
  process.stdout.write(`${(server.address() as AddressInfo).port}\n`)
})
