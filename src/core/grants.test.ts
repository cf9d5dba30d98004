/** What a token may do through its entity and groups: the refusals, the changes, and what it costs. */
import { deepEqual, equal, ok, rejects } from 'node:assert/strict'
import { test } from 'node:test'
import { identityHouse, type IdentityHouse } from '../../test/support/identity-house.ts'
import { type Scope } from '../barrier/space.ts'
import { ENGINES } from '../server/builtin.ts'
import { createCore } from './core.ts'
import { entityById, saveEntity } from './identity/entities.ts'
import { groupById, saveGroup } from './identity/groups.ts'
import { ownEngines } from './own-engines.ts'

/** Every way somebody might spell root: cases, blanks, controls, look-alikes, paths. */
const ROOTS = [
  ...['root', 'Root', 'ROOT', 'rOOt', 'rooT', ' root', 'root ', ' ROOT ', '\troot', 'root\n'],
  ...['root\r\n', '\nroot', 'root\0', '\0root', 'ro\0ot', 'root\u00a0', '\u00a0root', 'root\u2003'],
  ...['\u200broot', 'ro\u200bot', 'root\ufeff', '\ufeffroot', 'r\u00adoot', 'root\u2060'],
  ...['\uff52\uff4f\uff4f\uff54', '\uff32\uff2f\uff2f\uff34', 'ro\u1d52t', 'r\u2134\u2134t'],
  ...['\u{1d42b}\u{1d428}\u{1d428}\u{1d42d}', 'ʀoot', 'rоot', 'rооt', 'roοt', 'r\u0585ot'],
  ...['root/', '/root', './root', 'root/.', 'x/../root', 'root,root', '"root"', '%72oot', 'root;'],
]

const isRoot = async ({ ask }: IdentityHouse, token: string) =>
  (await ask('read', 'sys/mounts', {}, { token })).status === 200 ||
  (await ask('write', 'sys/policies/acl/x', { policy: 'path "x" {}' }, { token })).status < 400

test('S05 root cannot be assigned to an entity or a group, however it is spelled', async () => {
  const house = await identityHouse()
  const { ask, must, logIn } = house
  equal(new Set(ROOTS).size, ROOTS.length)
  ok(ROOTS.length >= 40)
  const { token, entityId } = await logIn({ alias: 'alice' })
  const group = await must('write', 'identity/group', { member_entity_ids: [entityId] })
  for (const name of ROOTS) {
    for (const path of [`entity/id/${entityId}`, `group/id/${String(group['id'])}`]) {
      for (const policies of [[name], ['default', name], `default,${name}`]) {
        await ask('write', `identity/${path}`, { policies })
        equal(await isRoot(house, token), false, JSON.stringify(name))
        equal(await isRoot(house, (await logIn({ alias: 'alice' })).token), false)
        const { auth } = await logIn({ alias: 'alice' })
        ok(!(auth['policies'] as string[]).includes('root'))
      }
    }
  }
})

test('S05 root that stands in the store grants nothing through an entity or a group', async () => {
  const house = await identityHouse()
  const { core, must, logIn } = house
  const { token, entityId } = await logIn({ alias: 'alice' })
  const group = await must('write', 'identity/group', { member_entity_ids: [entityId] })
  for (const name of ROOTS) {
    const tx = (await core.begin(false))!
    await saveEntity(tx, { ...(await entityById(tx, entityId))!, policies: [name] })
    await saveGroup(tx, { ...(await groupById(tx, String(group['id'])))!, policies: [name] })
    await core.commit(tx)
    equal(await isRoot(house, token), false, JSON.stringify(name))
    const batch = await logIn({ alias: 'alice', type: 'batch' })
    equal(await isRoot(house, batch.token), false)
    ok(!(batch.auth['policies'] as string[]).includes('root'))
  }
})

test('a token whose entity is disabled or gone is refused at its next request', async () => {
  const { ask, must, logIn, allow, mayRead } = await identityHouse()
  await allow('all', 'secret/*')
  for (const type of ['service', 'batch']) {
    const { token, entityId } = await logIn({ alias: 'alice', policies: ['all'], type })
    ok(await mayRead(token, 'secret/data/x'))
    await must('write', `identity/entity/id/${entityId}`, { disabled: true })
    const refused = await ask('read', 'secret/data/x', {}, { token })
    equal(refused.status, 403)
    deepEqual(refused.body.errors, ['1 error occurred:\n\t* permission denied\n\n'])
    equal((await ask('read', 'sys/internal/ui/mounts', {}, { token })).status, 403)
    equal((await ask('write', 'sys/capabilities', { token, path: 'x' })).status, 403)
    await must('write', `identity/entity/id/${entityId}`, { disabled: false })
    ok(await mayRead(token, 'secret/data/x'))
    await must('delete', `identity/entity/id/${entityId}`)
    ok(!(await mayRead(token, 'secret/data/x')))
    // The next login makes another entity, which the old token is not.
    await logIn({ alias: 'alice' })
    ok(!(await mayRead(token, 'secret/data/x')))
  }
})

test('what entity and groups grant is what they grant now', async () => {
  const { must, logIn, allow, mayRead } = await identityHouse()
  for (const name of ['own', 'team', 'dept']) await allow(name, `secret/data/${name}`)
  const { token, entityId } = await logIn({ alias: 'alice' })
  const may = async () => {
    const paths = ['own', 'team', 'dept']
    const told = await Promise.all(paths.map((path) => mayRead(token, `secret/data/${path}`)))
    return paths.filter((_, i) => told[i])
  }
  deepEqual(await may(), [])
  await must('write', `identity/entity/id/${entityId}`, { policies: ['own'] })
  deepEqual(await may(), ['own'])
  const team = await must('write', 'identity/group', {
    policies: ['team'],
    member_entity_ids: [entityId],
  })
  deepEqual(await may(), ['own', 'team'])
  const dept = await must('write', 'identity/group', {
    policies: ['dept'],
    member_group_ids: [team['id']],
  })
  deepEqual(await may(), ['own', 'team', 'dept'])
  await must('delete', 'sys/policies/acl/team')
  deepEqual(await may(), ['own', 'dept'])
  await allow('team', 'secret/data/team')
  deepEqual(await may(), ['own', 'team', 'dept'])
  await must('write', `identity/group/id/${String(dept['id'])}`, { member_group_ids: [] })
  deepEqual(await may(), ['own', 'team'])
  await must('write', `identity/group/id/${String(team['id'])}`, { policies: [] })
  deepEqual(await may(), ['own'])
  await must('write', `identity/entity/id/${entityId}`, { policies: [] })
  deepEqual(await may(), [])
})

test('a deny of a group wins over what the token itself has', async () => {
  const { must, logIn, allow, mayRead } = await identityHouse()
  await allow('all', 'secret/data/x')
  await allow('no', 'secret/data/x', 'deny')
  const { token, entityId } = await logIn({ alias: 'alice', policies: ['all'] })
  ok(await mayRead(token, 'secret/data/x'))
  await must('write', 'identity/group', { policies: ['no'], member_entity_ids: [entityId] })
  ok(!(await mayRead(token, 'secret/data/x')))
})

test('a caller may read their own entity, and nobody else’s, by the default policy', async () => {
  const { ask, must, logIn } = await identityHouse()
  const { token, entityId } = await logIn({ alias: 'alice' })
  const other = await logIn({ alias: 'bob' })
  equal((await ask('read', `identity/entity/id/${entityId}`, {}, { token })).status, 200)
  equal((await ask('read', `identity/entity/id/${other.entityId}`, {}, { token })).status, 403)
  await must('write', `identity/entity/id/${entityId}`, { name: 'al' })
  equal((await ask('read', 'identity/entity/name/al', {}, { token })).status, 200)
  equal((await ask('read', 'identity/entity/name/AL', {}, { token })).status, 403)
})

test('S16 a second server on the same store sees every change at its next request', async () => {
  const { core, clock, unsealKeys, must, logIn, allow } = await identityHouse()
  await allow('team', 'secret/data/x')
  const { token, entityId } = await logIn({ alias: 'alice' })
  const team = await must('write', 'identity/group', {
    policies: ['team'],
    member_entity_ids: [entityId],
  })
  const other = createCore({
    store: core.store,
    engines: ENGINES,
    ownEngines,
    auditTypes: [],
    clock,
  })
  await other.keeper.offer(Buffer.from(unsealKeys[0]!, 'hex'))
  const mayThere = async () => {
    const tx = (await other.begin(false))!
    const entry = (await other.tokens.find(tx, token, clock.now()))!
    const { acl } = await other.grantsOf(tx, entry)
    return acl.check({ path: 'secret/data/x', operation: 'read', data: {} }).allowed
  }
  ok(await mayThere())
  await must('write', `identity/group/id/${String(team['id'])}`, { member_entity_ids: [] })
  ok(!(await mayThere()))
  await must('write', `identity/entity/id/${entityId}`, { disabled: true })
  await rejects(mayThere, /permission denied/)
})

test('a token that comes again costs no listing and no promise', async () => {
  const { core, clock, must, logIn } = await identityHouse()
  const { token, entityId } = await logIn({ alias: 'alice', policies: ['a'] })
  for (const name of ['one', 'two']) {
    await must('write', 'identity/group', { policies: [name], member_entity_ids: [entityId] })
  }
  const warm = async () => {
    const tx = (await core.begin(true))!
    return { tx, entry: (await core.tokens.find(tx, token, clock.now()))! }
  }
  const before = await warm()
  const grants = await core.grantsOf(before.tx, before.entry)
  deepEqual(grants.identityPolicies, ['one', 'two'])

  const { tx, entry } = await warm()
  let reads = 0
  const counting: Pick<Scope, 'get' | 'list'> = {
    get(path) {
      const found = Object.getPrototypeOf(tx).get.call(tx, path)
      reads++
      ok(!(found instanceof Promise), path)
      return found
    },
    list: (prefix) => Promise.reject(new Error(`listed ${prefix}`)),
  }
  Object.assign(tx, counting)
  const again = core.grantsOf(tx, entry)
  ok(!(again instanceof Promise))
  equal(again, grants)
  // The token's two policies, the two of the groups, the entity and the groups themselves.
  equal(reads, 7)
})
