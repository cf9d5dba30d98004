/** What an entity brings to its tokens at this moment: its own policies, and those of its groups. */
import { type Scope } from '../../barrier/space.ts'
import { Failure } from '../../kit/failure.ts'
import { entityOfToken } from './entities.ts'
import { type Entity, type Group } from './entity.ts'
import { groupsOfEntity } from './groups.ts'

export type Standing = {
  readonly entity: Entity
  readonly groups: readonly Group[]
  /** Each once, sorted. */
  readonly policies: readonly string[]
}

/** Undefined when there is no such entity (any more). */
export async function standingOf(scope: Scope, entityId: string): Promise<Standing | undefined> {
  const entity = await entityOfToken(scope, entityId)
  if (!entity) return undefined
  const groups = await groupsOfEntity(scope, entity)
  return { entity, groups, policies: policiesOf(entity, groups) }
}

/** As above, for whoever wants to act as this entity. It must be there, and not be disabled. */
export async function requireStanding(scope: Scope, entityId: string): Promise<Standing> {
  const standing = await standingOf(scope, entityId)
  if (standing && !standing.entity.disabled) return standing
  throw new Failure('permission_denied', undefined, { wrapped: true })
}

/** Root never comes out of it, whatever has been stored: it is refused at the writing as well. */
function policiesOf(entity: Entity, groups: readonly Group[]): string[] {
  const names = [entity, ...groups].flatMap(({ policies }) => policies)
  return [...new Set(names)].filter((name) => name !== 'root').sort()
}

/** Each policy once, sorted; the first list itself when the second adds nothing. */
export function union(own: readonly string[], more: readonly string[]): readonly string[] {
  return more.every((name) => own.includes(name)) ? own : [...new Set([...own, ...more])].sort()
}
