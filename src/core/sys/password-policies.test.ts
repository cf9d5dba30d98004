/** Password policies over the API, and what engines get from them. */
import { deepEqual, equal, ok } from 'node:assert/strict'
import { test } from 'node:test'
import { testCore } from '../../../test/support/test-core.ts'
import { defineEngine, endpoint, t } from '../../kit/kit.ts'
import { systemRandom } from '../../lib/random.ts'
import { ENGINES } from '../../server/builtin.ts'
import { newMountEntry } from '../bootstrap.ts'

const POLICY = 'length = 12\nrule "charset" { charset = "abc123" min-chars = 2 }'

test('policies/password refuses what is no policy, in Vault words', async () => {
  const { ask } = await testCore()
  const write = async (policy?: string) =>
    (await ask('write', 'sys/policies/password/p', policy === undefined ? {} : { policy })).body
      .errors
  const told = (text: string) => [`1 error occurred:\n\t* ${text}\n\n`]
  deepEqual(await write(), told('missing policy'))
  deepEqual(await write(''), told('missing policy'))
  deepEqual(await write('length = 12'), told('invalid password policy: no charset rules found'))
  const length = 'passwords must be between 4 and 100 characters'
  for (const wrong of ['3', '101']) {
    deepEqual(await write(POLICY.replace('12', wrong)), told(length))
  }
  deepEqual(
    await write(POLICY.replace('min-chars = 2', 'min-chars = 13')),
    told('unable to construct test password from provided policy: are the rules impossible?'),
  )
  for (const path of ['p', 'p/generate']) {
    const missing = await ask('read', `sys/policies/password/${path}`)
    deepEqual([missing.status, missing.body.errors], [404, told('policy does not exist')])
  }
  equal((await ask('list', 'sys/policies/password')).status, 404)
})

test('policies/password keeps the text, generates, lists and deletes', async () => {
  const { ask } = await testCore()
  equal((await ask('write', 'sys/policies/password/a', { policy: POLICY })).status, 204)
  const base64 = Buffer.from(POLICY).toString('base64')
  equal((await ask('write', 'sys/policies/password/b', { policy: base64 })).status, 204)
  for (const name of ['a', 'b']) {
    deepEqual((await ask('read', `sys/policies/password/${name}`)).body.data, { policy: POLICY })
    const made = await ask('read', `sys/policies/password/${name}/generate`)
    ok(/^[abc123]{12}$/.test(String(made.body.data!['password'])))
  }
  deepEqual((await ask('list', 'sys/policies/password')).body.data, { keys: ['a', 'b'] })
  for (let i = 0; i < 2; i++) {
    equal((await ask('delete', 'sys/policies/password/a')).status, 204)
  }
  equal((await ask('read', 'sys/policies/password/a')).status, 404)
})

test('policies/password of a namespace are its own', async () => {
  const { ask } = await testCore()
  await ask('write', 'sys/namespaces/team')
  await ask('write', 'team/sys/policies/password/p', { policy: POLICY })
  equal((await ask('read', 'sys/policies/password/p')).status, 404)
  equal((await ask('read', 'team/sys/policies/password/p/generate')).status, 200)
})

test('call.generatePassword() gives engines a password by the rules, or says what is missing', async () => {
  const engine = defineEngine({
    type: 'passwords',
    help: 'Makes passwords.',
    endpoints: [
      endpoint('new/:policy', {
        help: 'One.',
        fields: { policy: t.name({ help: 'By which policy.' }) },
        read: async (call) => ({ password: await call.generatePassword(call.data.policy) }),
      }),
    ],
  })
  const { core, ask } = await testCore({ engines: [...ENGINES, engine] })
  const tx = (await core.begin(false))!
  const { mounts } = await core.mounts.table(tx)
  const entry = newMountEntry({ path: 'pw/', class: 'secret', type: 'passwords' }, systemRandom)
  core.mounts.save(tx, [...mounts, entry])
  await core.commit(tx)
  equal((await ask('read', 'pw/new/p')).status, 404)
  await ask('write', 'sys/policies/password/p', { policy: POLICY })
  ok(/^[abc123]{12}$/.test(String((await ask('read', 'pw/new/p')).body.data!['password'])))
})
