import { equal, rejects } from 'node:assert/strict'
import { createServer, type AddressInfo } from 'node:net'
import { test } from 'node:test'
import { DEFAULTS } from './config.ts'
import { openDirectory } from './directory.ts'

test('a connection that was lost is not made again, nor is an empty password ever sent', async () => {
  let connections = 0
  let asked = 0
  const server = createServer((socket) => {
    connections++
    socket.on('error', () => {})
    socket.on('data', () => {
      asked++
      socket.destroy()
    })
  })
  await new Promise<void>((done) => server.listen(0, '127.0.0.1', done))
  try {
    const { port } = server.address() as AddressInfo
    await using directory = await openDirectory({ ...DEFAULTS, url: `ldap://127.0.0.1:${port}` })
    equal(await directory.bind('cn=admin', ''), false)
    equal(await directory.bind('', 'password'), false)
    equal(asked, 0)
    for (let tries = 0; tries < 2; tries++) {
      await rejects(directory.bind('cn=admin', 'password'), { status: 500 })
    }
    equal([connections, asked].join(), '1,1')
  } finally {
    server.close()
  }
})
