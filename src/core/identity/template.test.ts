/** Templated policies: what drops a rule, and what each expression stands for. */
import { equal, ok } from 'node:assert/strict'
import { test } from 'node:test'
import { identityHouse } from '../../../test/support/identity-house.ts'
import { templateValues } from './template-values.ts'

/** Values that would widen the path they are written into, and some that only look as if. */
const HOSTILE = [
  ...['*', 'a*', '+', 'a/b', '/', '../x', 'a/../b', '', '\n', 'a\nb', 'a\0', '\u007f', '\u0085'],
  ...['{{identity.entity.id}}', '}}*', '{{', '"', 'x" { capabilities = ["sudo"] } path "'],
  ...[
    '\uff0f',
    '\u2215',
    '\u2217',
    '\uff0a',
    '\u204e',
    '\uff0b',
    '.',
    '..',
    '%2f',
    '%2a',
    ',',
    ' ',
  ],
]

test('templateValues() knows no value that nobody has set', () => {
  const at = {
    name: 'n',
    metadata: {},
    policies: [],
    creation_time: '',
    last_update_time: '',
  }
  const entity = {
    ...at,
    id: 'e',
    disabled: false,
    aliases: [],
    merged_entity_ids: [],
    group_ids: [],
  }
  const value = templateValues({ entity, groups: [] })
  for (const expression of [
    'entity.metadata.constructor',
    'entity.metadata.__proto__',
    'entity.metadata.',
    'entity.policies',
    'entity.id.length',
    'entity.aliases.x.name',
    'groups.names.n.id',
    'groups.ids.undefined.name',
    'nothing',
  ]) {
    equal(value(`identity.${expression}`), undefined, expression)
  }
  equal(value('identity.entity.id'), 'e')
})

test('S07 a hostile value drops its rule and never widens it', async () => {
  const { must, logIn, mayRead, accessorOf } = await identityHouse()
  const policy = `
path "secret/data/home/{{identity.entity.metadata.home}}/x" { capabilities = ["read"] }
path "secret/data/pre/{{identity.entity.metadata.home}}*" { capabilities = ["read"] }
path "secret/data/alias/{{identity.entity.aliases.ACCESSOR.metadata.home}}" { capabilities = ["read"] }`
  const own = policy.replace('ACCESSOR', await accessorOf('folk'))
  await must('write', 'sys/policies/acl/home', { policy: own })
  const elsewhere = ['home/other/x', 'home/a/other', 'home/a/b/x', 'home/x', 'pre/other', 'pre/']
  elsewhere.push('alias/other', 'alias/a/b', 'alias/')
  for (const home of HOSTILE) {
    const metadata = { home }
    const { token, entityId } = await logIn({ alias: 'alice', metadata, policies: ['home'] })
    await must('write', `identity/entity/id/${entityId}`, { metadata })
    for (const path of elsewhere) {
      ok(!(await mayRead(token, `secret/data/${path}`)), JSON.stringify([home, path]))
    }
  }
  const { token, entityId } = await logIn({
    alias: 'alice',
    metadata: { home: 'mine' },
    policies: ['home'],
  })
  await must('write', `identity/entity/id/${entityId}`, { metadata: { home: 'mine' } })
  for (const path of ['home/mine/x', 'pre/mine', 'pre/mine/deep', 'alias/mine']) {
    ok(await mayRead(token, `secret/data/${path}`), path)
  }
})

test('S08 an alias is that of the mount that is named, whatever others the entity has', async () => {
  const { must, logIn, mayRead, accessorOf } = await identityHouse()
  await must('write', 'sys/auth/other', { type: 'folk' })
  await must('write', 'sys/auth/third', { type: 'folk' })
  const [folk, other, third] = [
    await accessorOf('folk'),
    await accessorOf('other'),
    await accessorOf('third'),
  ]
  const rule = (accessor: string, field: string) =>
    `path "secret/data/${field}/{{identity.entity.aliases.${accessor}.${field}}}" ` +
    '{ capabilities = ["read"] }\n'
  const policy = rule(folk, 'name') + rule(folk, 'metadata.team') + rule(third, 'custom_metadata.k')
  await must('write', 'sys/policies/acl/p', { policy })
  const { entityId } = await logIn({ alias: 'al', metadata: { team: 'red' } })
  const alias = (name: string, mount_accessor: string, custom_metadata = {}) =>
    must('write', 'identity/entity-alias', {
      name,
      mount_accessor,
      canonical_id: entityId,
      custom_metadata,
    })
  await alias('admin', other, { k: 'other' })
  await alias('third', third, { k: 'third' })
  const { token } = await logIn(
    { alias: 'admin', metadata: { team: 'blue' }, policies: ['p'] },
    'other',
  )
  ok(await mayRead(token, 'secret/data/name/al'))
  ok(await mayRead(token, 'secret/data/metadata.team/red'))
  ok(await mayRead(token, 'secret/data/custom_metadata.k/third'))
  for (const path of [
    'name/admin',
    'name/third',
    'metadata.team/blue',
    'custom_metadata.k/other',
  ]) {
    ok(!(await mayRead(token, `secret/data/${path}`)), path)
  }
})

test('a value counts as it is now, and a rule is dropped while there is none', async () => {
  const { must, logIn, mayRead } = await identityHouse()
  const expressions: Record<string, string> = {
    id: 'identity.entity.id',
    name: 'identity.entity.name',
    dotted: 'identity.entity.metadata.a.b',
    proto: 'identity.entity.metadata.constructor',
    byName: 'identity.groups.names.team.id',
    groupMeta: 'identity.groups.names.team.metadata.room',
  }
  const policy = Object.entries(expressions).map(
    ([at, expression]) =>
      `path "secret/data/${at}/{{${expression}}}" { capabilities = ["read"] }\n`,
  )
  await must('write', 'sys/policies/acl/p', { policy: policy.join('') })
  const { token, entityId } = await logIn({ alias: 'alice', policies: ['p'] })
  const may = (path: string) => mayRead(token, `secret/data/${path}`)
  ok(await may(`id/${entityId}`))
  ok(!(await may('name/al')))
  ok(!(await may('dotted/x')))
  ok(!(await may('proto/x')))
  ok(!(await may('dotted/undefined')))
  await must('write', `identity/entity/id/${entityId}`, { name: 'al', metadata: { 'a.b': 'x' } })
  ok(await may('name/al'))
  ok(await may('dotted/x'))

  const { id } = await must('write', 'identity/group', {
    name: 'team',
    metadata: { room: '12' },
    member_entity_ids: [],
  })
  ok(!(await may(`byName/${String(id)}`)), 'not a member yet')
  await must('write', `identity/group/id/${String(id)}`, { member_entity_ids: [entityId] })
  ok(await may(`byName/${String(id)}`))
  ok(await may('groupMeta/12'))
  await must('write', `identity/group/id/${String(id)}`, { metadata: { room: '13' } })
  ok(!(await may('groupMeta/12')))
  ok(await may('groupMeta/13'))
})

test('a batch token has the values of now as well', async () => {
  const { must, logIn, mayRead } = await identityHouse()
  const policy = 'path "secret/data/{{identity.entity.metadata.team}}" { capabilities = ["read"] }'
  await must('write', 'sys/policies/acl/p', { policy })
  const { token, entityId } = await logIn({ alias: 'alice', policies: ['p'], type: 'batch' })
  for (const team of ['red', 'blue']) {
    await must('write', `identity/entity/id/${entityId}`, { metadata: { team } })
    equal(await mayRead(token, 'secret/data/red'), team === 'red')
    equal(await mayRead(token, 'secret/data/blue'), team === 'blue')
  }
})

test('two callers with one templated policy each have their own paths', async () => {
  const { must, logIn, mayRead } = await identityHouse()
  const policy = 'path "secret/data/{{identity.entity.id}}/*" { capabilities = ["read"] }'
  await must('write', 'sys/policies/acl/own', { policy })
  const alice = await logIn({ alias: 'alice', policies: ['own'] })
  const bob = await logIn({ alias: 'bob', policies: ['own'] })
  for (const who of [alice, bob, alice, bob]) {
    for (const whose of [alice, bob]) {
      equal(await mayRead(who.token, `secret/data/${whose.entityId}/x`), who === whose)
    }
  }
  const nobody = await logIn({ alias: '', policies: ['own'] })
  ok(!(await mayRead(nobody.token, `secret/data/${alice.entityId}/x`)))
})
