/** Entities of one namespace are nobody in another; a token that crosses over still stands on its own. */
import { deepEqual, equal, notEqual, ok } from 'node:assert/strict'
import { test } from 'node:test'
import { identityHouse } from '../../../test/support/identity-house.ts'

type Data = Record<string, unknown>

async function house() {
  const made = await identityHouse()
  const { ask, must } = made
  await must('write', 'sys/namespaces/a')
  const at = (verb: 'read' | 'list' | 'write', path: string, data: Data = {}, token = made.root) =>
    ask(verb, path, data, { namespace: 'a', token })
  equal((await at('write', 'sys/auth/folk', { type: 'folk' })).status, 204)
  return { ...made, at }
}

test('an entity of a namespace is not known outside of it', async () => {
  const { ask, at, must, logIn } = await house()
  const outside = await logIn({ alias: 'alice' })
  const inside = (
    await ask('write', 'auth/folk/login', { alias: 'alice' }, { namespace: 'a', token: undefined })
  ).body['auth'] as Data
  const id = String(inside['entity_id'])
  notEqual(id, outside.entityId)
  equal((await ask('read', `identity/entity/id/${id}`)).status, 404)
  equal((await at('read', `identity/entity/id/${outside.entityId}`)).status, 404)
  deepEqual((await must('list', 'identity/entity/id'))['keys'], [outside.entityId])
  const entity = (await at('read', `identity/entity/id/${id}`)).body.data!
  notEqual(entity['namespace_id'], 'root')
  const [alias] = entity['aliases'] as Data[]
  equal(alias!['mount_path'], 'auth/folk/')

  // Its own entity, and what it grants, by the policies of its own namespace.
  const token = String(inside['client_token'])
  equal((await at('read', `identity/entity/id/${id}`, {}, token)).status, 200)
  equal((await at('read', 'sys/mounts', {}, token)).status, 403)
  const policy = 'path "sys/mounts" { capabilities = ["read"] }'
  await must('write', 'sys/policies/acl/look', { policy })
  await at('write', `identity/entity/id/${id}`, { policies: ['look'] })
  equal((await at('read', 'sys/mounts', {}, token)).status, 403, 'the policy is of the root')
  await at('write', 'sys/policies/acl/look', { policy })
  equal((await at('read', 'sys/mounts', {}, token)).status, 200)
})

test('a group of a namespace takes no member from outside', async () => {
  const { at, logIn } = await house()
  const { entityId } = await logIn({ alias: 'alice' })
  const { status } = await at('write', 'identity/group', { member_entity_ids: [entityId] })
  equal(status, 400)
})

test('a child in a namespace below needs its entity, and has none of its policies there', async () => {
  const { must, at, ask, allow, logIn } = await house()
  await allow('maker', 'a/auth/token/create', 'update', 'sudo')
  const { token, entityId } = await logIn({ alias: 'alice', policies: ['maker'] })
  await must('write', `identity/entity/id/${entityId}`, { policies: ['look'] })
  const policy = 'path "sys/mounts" { capabilities = ["read"] }'
  await at('write', 'sys/policies/acl/look', { policy })
  const made = await at('write', 'auth/token/create', { policies: ['default'] }, token)
  equal(made.status, 200, JSON.stringify(made.body))
  const auth = made.body['auth'] as Data
  equal(auth['entity_id'], entityId)
  ok(!('identity_policies' in auth))
  const child = String(auth['client_token'])
  equal((await at('read', 'auth/token/lookup-self', {}, child)).status, 200)
  equal((await at('read', 'sys/mounts', {}, child)).status, 403)
  await must('write', `identity/entity/id/${entityId}`, { disabled: true })
  equal((await at('read', 'auth/token/lookup-self', {}, child)).status, 403)
  equal((await ask('read', 'auth/token/lookup-self', {}, { token })).status, 403)
})
