/** What single steps say where the words matter to whoever reads them. */
import { deepEqual, equal } from 'node:assert/strict'
import { test } from 'node:test'
import { testCore } from '../../test/support/test-core.ts'

test('who is asking: a token that is used up says so only where it would have been opened', async () => {
  const { ask, root } = await testCore()
  const made = await ask('write', 'sys/wrapping/wrap', { a: 1 }, { wrapTtlSeconds: 60 })
  const { token } = made.body['wrap_info'] as { token: string }
  equal((await ask('write', 'sys/wrapping/unwrap', {}, { token })).status, 200)
  for (const path of ['sys/wrapping/unwrap', 'sys/wrapping/rewrap']) {
    for (const data of [{}, { token: null }, { token }]) {
      const { status, body } = await ask('write', path, data, { token })
      equal(status, 400)
      deepEqual(body.errors, ['wrapping token is not valid or does not exist'])
    }
    // Here a bad token speaks of another one, or there is none at all.
    for (const given of [token, undefined]) {
      const { status } = await ask('write', path, { token: root }, { token: given })
      equal(status, 403)
    }
  }
  equal((await ask('read', 'secret/data/a', {}, { token })).status, 403)
})
