/**
 * Who has to bring a second factor: logins of a mount, of a type of mounts, of members of a group, or
 * of an entity. All of them lie in one entry, which every login reads.
 */
import { type Scope } from '../../barrier/space.ts'
import { type Standing } from '../identity/standing.ts'
import { type MountEntry } from '../mounts.ts'

export type Enforcement = {
  id: string
  name: string
  mfa_method_ids: string[]
  auth_method_accessors: string[]
  auth_method_types: string[]
  identity_group_ids: string[]
  identity_entity_ids: string[]
}
type Enforcements = { enforcements: readonly Enforcement[] }

const PATH = 'identity-mfa/enforcements'
const NONE: readonly Enforcement[] = []

export async function enforcements(scope: Scope): Promise<readonly Enforcement[]> {
  return (await scope.get<Enforcements>(PATH))?.enforcements ?? NONE
}

export function saveEnforcements(scope: Scope, all: readonly Enforcement[]): void {
  if (all.length === 0) return scope.remove(PATH)
  const sorted = all.toSorted((a, b) => (a.name < b.name ? -1 : 1))
  scope.put(PATH, { enforcements: sorted } satisfies Enforcements)
}

type Login = { mount: Pick<MountEntry, 'accessor' | 'type'>; standing: Standing | undefined }

/** Those that a login has to satisfy, each of them. */
export async function enforcementsFor(
  scope: Scope,
  { mount, standing }: Login,
): Promise<readonly Enforcement[]> {
  const all = await enforcements(scope)
  if (all.length === 0) return NONE
  const entity = standing?.entity
  // Whoever was merged into another is that one now, and keeps what was asked of either.
  const entityIds = entity ? [entity.id, ...entity.merged_entity_ids] : []
  const groupIds = standing?.groups.map(({ id }) => id) ?? []
  return all.filter(
    (one) =>
      one.auth_method_accessors.includes(mount.accessor) ||
      one.auth_method_types.includes(mount.type) ||
      one.identity_entity_ids.some((id) => entityIds.includes(id)) ||
      one.identity_group_ids.some((id) => groupIds.includes(id)),
  )
}
