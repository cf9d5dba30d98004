/** Whom a token is about: the entity, with every group it is in. */
import { type Scope } from '../../../barrier/space.ts'
import { entityById } from '../entities.ts'
import { groupsOf } from '../groups.ts'
import { type TemplateSubject } from './template.ts'

/** Undefined when there is no such entity. Whether it is disabled is for the caller to judge. */
export async function subjectOf(
  scope: Scope,
  entityId: string,
  now: number,
): Promise<TemplateSubject | undefined> {
  const entity = await entityById(scope, entityId)
  return entity && { entity, groups: await groupsOf(scope, entityId), now }
}
