/**
 * From a login to an entity: found by its alias, or made. What the mount says of it is kept with the
 * alias, and it is in those external groups of the mount that this login has named, and no others.
 */
import { type Scope } from '../../barrier/space.ts'
import { Failure } from '../../kit/failure.ts'
import { type LoginGrant } from '../../kit/reply.ts'
import { rfc3339 } from '../../lib/clock.ts'
import { type Random } from '../../lib/random.ts'
import { type MountEntry } from '../mounts.ts'
import { aliasOn, newAlias } from './alias.ts'
import { entityByAlias, entityById, saveEntity } from './entities.ts'
import { newEntity } from './new-entity.ts'
import { type Alias, type Entity } from './entity.ts'
import { groupByAlias, groupById, setMember } from './groups.ts'
import { type Standing, standingOf } from './standing.ts'

export type Login = {
  grant: Pick<LoginGrant, 'alias' | 'aliasMetadata' | 'metadata' | 'groups'>
  mount: Pick<MountEntry, 'accessor' | 'local'>
  random: Random
  now: number
}

/**
 * Undefined when the login names nobody. Refuses a disabled entity: 403, without anything written.
 * Runs within the transaction that stores the token, so two first logins cannot make two entities.
 */
export async function entityOfLogin(scope: Scope, login: Login): Promise<Standing | undefined> {
  const { grant, mount } = login
  if (grant.alias === '') return undefined
  const known = await entityByAlias(scope, mount.accessor, grant.alias)
  if (known?.disabled) throw new Failure('permission_denied')
  const entity = known ? await refreshed(scope, known, login) : await created(scope, login)
  await refreshGroups(scope, entity.id, { accessor: mount.accessor, names: grant.groups ?? [] })
  return standingOf(scope, entity.id)
}

async function created(scope: Scope, { grant, mount, random, now }: Login): Promise<Entity> {
  const wanted = { name: grant.alias, mountAccessor: mount.accessor, local: mount.local }
  const alias: Alias = { ...newAlias(wanted, { random, now }), metadata: metadataOf(grant) }
  const entity: Entity = { ...(await newEntity(scope, { random, now })), aliases: [alias] }
  await saveEntity(scope, entity)
  return entity
}

/** Written only when the mount says something else than before: most logins change nothing. */
async function refreshed(scope: Scope, entity: Entity, login: Login): Promise<Entity> {
  const alias = aliasOn(entity, login.mount.accessor)
  const metadata = metadataOf(login.grant)
  if (!alias || isSame(alias.metadata, metadata)) return entity
  const next: Alias = { ...alias, metadata, last_update_time: rfc3339(login.now) }
  const changed: Entity = {
    ...entity,
    aliases: entity.aliases.map((each) => (each === alias ? next : each)),
  }
  await saveEntity(scope, changed)
  return changed
}

const metadataOf = ({ aliasMetadata, metadata }: Login['grant']) => ({
  ...(aliasMetadata ?? metadata),
})

/** Groups of other mounts, and internal ones, are not the business of this login. */
async function refreshGroups(
  scope: Scope,
  entityId: string,
  { accessor, names }: { accessor: string; names: readonly string[] },
): Promise<void> {
  const told = new Set<string>()
  for (const name of new Set(names)) {
    const group = await groupByAlias(scope, accessor, name)
    if (group) told.add(group.id)
  }
  const entity = await entityById(scope, entityId)
  for (const groupId of entity?.group_ids ?? []) {
    const group = await groupById(scope, groupId)
    if (group?.alias?.mount_accessor === accessor && !told.has(groupId)) {
      await setMember(scope, { groupId, entityId, is: false })
    }
  }
  for (const groupId of told) await setMember(scope, { groupId, entityId, is: true })
}

type Pairs = Readonly<Record<string, string>>

function isSame(a: Pairs, b: Pairs): boolean {
  const keys = Object.keys(a)
  return (
    keys.length === Object.keys(b).length &&
    keys.every((key) => Object.hasOwn(b, key) && a[key] === b[key])
  )
}
