/**
 * Whatever is done to entities, aliases and groups, in whatever order: every key leads to something
 * that has it, and everything is found by all it has. COFFER_SEED repeats a run.
 */
import { deepEqual, ok } from 'node:assert/strict'
import { test } from 'node:test'
import { identityHouse, type IdentityHouse } from '../../../test/support/identity-house.ts'
import { type Answered } from '../../../test/support/test-core.ts'
import { freshSeed, seeded } from '../../../test/torture/seeded.ts'
import { type Tx } from '../../barrier/space.ts'
import { type Entity, type Group } from './entity.ts'
import { nameKey } from './name-index.ts'

const STEPS = 250

async function keysUnder(tx: Tx, prefix: string): Promise<string[]> {
  const found: string[] = []
  for (const name of await tx.list(prefix)) {
    if (name.endsWith('/')) found.push(...(await keysUnder(tx, prefix + name)))
    else found.push(prefix + name)
  }
  return found
}

async function all<T extends object>(tx: Tx, prefix: string): Promise<T[]> {
  const keys = await keysUnder(tx, prefix)
  return Promise.all(keys.map(async (key) => (await tx.get<T>(key))!))
}

/** What must lie beside the entities and groups, worked out from them alone. */
async function expected(tx: Tx): Promise<Map<string, object>> {
  const keys = new Map<string, object>()
  const lead = (key: string, id: string) => {
    ok(!keys.has(key), `two claim ${key}`)
    keys.set(key, { id })
  }
  for (const { id, name, aliases, merged_entity_ids, group_ids } of await all<Entity>(
    tx,
    'identity/entity/',
  )) {
    lead(`identity/entity-name/${nameKey(name)}`, id)
    for (const merged of merged_entity_ids) lead(`identity/entity-merged/${merged}`, id)
    for (const alias of aliases) {
      lead(`identity/alias/${alias.id}`, id)
      lead(`identity/alias-at/${alias.mount_accessor}/${nameKey(alias.name)}`, id)
    }
    for (const group of group_ids) keys.set(`identity/group-member/${group}/${id}`, {})
  }
  for (const { id, name, alias, parent_group_ids } of await all<Group>(tx, 'identity/group/')) {
    lead(`identity/group-name/${nameKey(name)}`, id)
    if (alias) {
      lead(`identity/group-alias/${alias.id}`, id)
      lead(`identity/group-alias-at/${alias.mount_accessor}/${nameKey(alias.name)}`, id)
    }
    for (const parent of parent_group_ids) keys.set(`identity/group-child/${parent}/${id}`, {})
  }
  return keys
}

async function check({ core }: IdentityHouse): Promise<void> {
  const tx = (await core.begin(false))!
  const wanted = await expected(tx)
  const groups = new Set((await all<Group>(tx, 'identity/group/')).map(({ id }) => id))
  for (const key of wanted.keys()) {
    const [, kind, id] = key.split('/')
    if (kind === 'group-member' || kind === 'group-child') ok(groups.has(id!), key)
  }
  const rooms = ['entity-name', 'entity-merged', 'alias', 'alias-at', 'group-name', 'group-alias']
  const found = new Map<string, object>()
  for (const room of [...rooms, 'group-alias-at', 'group-member', 'group-child']) {
    for (const key of await keysUnder(tx, `identity/${room}/`)) {
      found.set(key, (await tx.get(key))!)
    }
  }
  deepEqual(Object.fromEntries(found), Object.fromEntries(wanted))
}

test('all that leads to entities and groups stays right', async (t) => {
  const seed = freshSeed()
  t.diagnostic(`seed ${seed} (COFFER_SEED=${seed} plays it again)`)
  const dice = seeded(seed)
  const next = () => dice.next()
  const pick = <T>(from: readonly T[]): T => dice.pick(from)
  // Ids too, for what is picked from a list depends on its order.
  const house = await identityHouse({
    random: (bytes) => Buffer.from(Array.from({ length: bytes }, () => dice.below(256))),
  })
  const { ask, must, accessorOf, tryLogIn } = house
  const names = ['a', 'B', 'b', 'c', 'ü', 'Ü', 'x/y']
  const kinds = ['entity', 'group', 'entity-alias', 'group-alias']
  const ids = async (kind: string): Promise<string[]> =>
    ((await ask('list', `identity/${kind}/id`)).body.data?.['keys'] ?? ['none']) as string[]
  const accessors = async () => [await accessorOf('folk'), await accessorOf('approle')]

  // What is refused has no effect, and is as good a step as any.
  const steps: (() => Promise<Answered | undefined>)[] = [
    async () => ask('write', 'identity/entity', { name: pick(names) }),
    async () =>
      ask('write', `identity/entity/id/${pick(await ids('entity'))}`, { name: pick(names) }),
    async () =>
      ask('write', 'identity/group', { name: pick(names), type: pick(['internal', 'external']) }),
    async () =>
      ask('write', `identity/group/id/${pick(await ids('group'))}`, { name: pick(names) }),
    async () =>
      ask('write', `identity/group/id/${pick(await ids('group'))}`, {
        member_entity_ids: [pick(await ids('entity')), pick(await ids('entity'))],
      }),
    async () =>
      ask('write', `identity/group/id/${pick(await ids('group'))}`, {
        member_group_ids: next() < 0.3 ? [] : [pick(await ids('group'))],
      }),
    async () =>
      ask('write', `identity/${pick(['entity-alias', 'group-alias'])}`, {
        name: pick(names),
        mount_accessor: pick(await accessors()),
        ...(next() < 0.7 && { canonical_id: pick(await ids(pick(['entity', 'group']))) }),
      }),
    async () => {
      const kind = pick(['entity', 'group'])
      return ask('write', `identity/${kind}-alias/id/${pick(await ids(`${kind}-alias`))}`, {
        ...(next() < 0.5 && { name: pick(names) }),
        ...(next() < 0.5 && { mount_accessor: pick(await accessors()) }),
        ...(next() < 0.5 && { canonical_id: pick(await ids(kind)) }),
      })
    },
    async () =>
      ask('write', 'identity/entity/merge', {
        from_entity_ids: [pick(await ids('entity')), pick(await ids('entity'))],
        to_entity_id: pick(await ids('entity')),
        conflicting_alias_ids_to_keep: [],
      }),
    async () =>
      ask('write', 'identity/entity/merge', {
        from_entity_ids: [pick(await ids('entity'))],
        to_entity_id: pick(await ids('entity')),
        conflicting_alias_ids_to_keep: [pick(await ids('entity-alias'))],
      }),
    async () => {
      const kind = pick(kinds)
      return ask('delete', `identity/${kind}/id/${pick(await ids(kind))}`)
    },
    async () => tryLogIn({ alias: pick(names), groups: [pick(names), pick(names)] }),
    async () => tryLogIn({ alias: pick(names), groups: [pick(names)] }),
    async () => {
      if (next() < 0.9) return undefined
      await must('delete', 'sys/auth/folk')
      return ask('write', 'sys/auth/folk', { type: 'folk' })
    },
  ]
  let done = 0
  for (let i = 0; i < STEPS; i++) {
    const answer = await pick(steps)()
    ok((answer?.status ?? 200) < 500, `${answer?.text} ${house.logs.at(-1)}`)
    if (answer && answer.status < 300) done++
    await check(house)
  }
  ok(done > STEPS / 4, `only ${done} steps did something`)
})
