/** Assignments: which entities may log in to a client, named or by their groups. */
import { type Scope } from '../../../barrier/space.ts'
import { collection } from '../../../kit/call.ts'
import { type TemplateSubject } from './template.ts'

/** Entry `identity-oidc/assignment/<name>`. */
export type Assignment = {
  readonly entity_ids: readonly string[]
  readonly group_ids: readonly string[]
}

const assignments = collection<Assignment>('identity-oidc/assignment/')

/** Everybody who has an entity. It is there without being made and stays as it is. */
export const ALLOW_ALL = 'allow_all'
const EVERYBODY: Assignment = { entity_ids: ['*'], group_ids: ['*'] }

export async function findAssignment(scope: Scope, name: string): Promise<Assignment | undefined> {
  return name === ALLOW_ALL ? EVERYBODY : await assignments.get(scope, name)
}

export async function assignmentNames(scope: Scope): Promise<string[]> {
  return [...(await assignments.names(scope)), ALLOW_ALL].sort()
}

export function saveAssignment(scope: Scope, name: string, assignment: Assignment): void {
  assignments.put(scope, name, assignment)
}

export function removeAssignment(scope: Scope, name: string): void {
  assignments.remove(scope, name)
}

/** Whether one of the assignments has the entity: itself, or a group it is in, inherited or not. */
export async function isAssigned(
  scope: Scope,
  names: readonly string[],
  { entity, groups }: TemplateSubject,
): Promise<boolean> {
  if (names.includes(ALLOW_ALL)) return true
  for (const name of names) {
    const assignment = await findAssignment(scope, name)
    if (!assignment) continue
    if (assignment.entity_ids.includes(entity.id)) return true
    if (groups.some(({ id }) => assignment.group_ids.includes(id))) return true
  }
  return false
}
