/** Following a key-value login on the real server: what the fake cannot prove. */
import { deepEqual, equal, rejects } from 'node:assert/strict'
import { test } from 'node:test'
import { connect, DeniedError, rotatingCredential, token } from '../../../src/client/client.ts'
import { startServer } from '../../support/server.ts'
import { until } from './house.ts'

test('a login in the key-value store is followed in both versions, with no more rights than to read it', async () => {
  await using server = await startServer()
  const { address } = server
  const own = { address, env: {} }
  await using root = await connect({ ...own, auth: token(server.rootToken) })
  await root.write('sys/mounts/old', { type: 'kv', options: { version: '1' } })
  const policy = `
    path "secret/data/shop/*" { capabilities = ["read"] }
    path "old/shop/*" { capabilities = ["read"] }`
  await root.write('sys/policies/acl/shop', { policy })
  const { auth } = await root.write('auth/token/create', { policies: ['shop'] })
  const errors: unknown[] = []
  const options = {
    connect: { ...own, auth: token(auth!.token) },
    intervalMs: 20,
    onError: (error: unknown) => void errors.push(error),
  }
  for (const mount of ['secret', 'old']) {
    const put = (password: string) =>
      root.kv(mount).write('shop/db', { username: `u-${password}`, password })
    await put('one')
    await using source = await rotatingCredential(`vault://${mount}/shop/db`, options)
    equal(source.current.username, 'u-one')
    equal(source.current.generation, mount === 'secret' ? 1 : undefined)
    await put('two')
    await until(() => source.current.password.reveal() === 'two')
    equal(source.current.username, 'u-two')
    source.tell(source.current, 'applied')
    source.tell(source.current, 'drained')
  }
  await rejects(rotatingCredential('vault://secret/other', options), DeniedError)
  deepEqual(errors, [])
})
