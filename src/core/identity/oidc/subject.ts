/** Whom a token is about: the entity, with every group it is in. */
import { type Scope } from '../../../barrier/space.ts'
import { entityOfToken } from '../entities.ts'
import { groupsOfEntity } from '../groups.ts'
import { type TemplateSubject } from './template.ts'

/**
 * Undefined when there is no such entity; of one that was merged into another, the other. Whether it
 * is disabled is for the caller to judge.
 */
export async function subjectOf(
  scope: Scope,
  entityId: string,
  now: number,
): Promise<TemplateSubject | undefined> {
  const entity = await entityOfToken(scope, entityId)
  return entity && { entity, groups: await groupsOfEntity(scope, entity), now }
}
