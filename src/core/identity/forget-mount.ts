/** When an auth mount is disabled, nobody is known by it any more. Entities and groups stay. */
import { type Scope } from '../../barrier/space.ts'
import { aliasOn, without } from './alias.ts'
import { aliasesAt, entityById, saveEntity } from './entities.ts'
import { takeAlias } from './group-write.ts'
import { groupAliasesAt, groupById } from './groups.ts'

type Pointer = { id: string }

/** Takes the next aliases of the mount away, counting `budget` down; all are gone if any is left. */
export async function forgetMount(
  scope: Scope,
  accessor: string,
  { budget, now }: { budget: { left: number }; now: number },
): Promise<void> {
  await eachUnder(scope, aliasesAt(accessor), budget, async (id) => {
    const entity = await entityById(scope, id)
    const alias = entity && aliasOn(entity, accessor)
    if (alias) await saveEntity(scope, without(entity, alias.id))
  })
  await eachUnder(scope, groupAliasesAt(accessor), budget, async (id) => {
    const group = await groupById(scope, id)
    if (group) await takeAlias(scope, group, now)
  })
}

async function eachUnder(
  scope: Scope,
  prefix: string,
  budget: { left: number },
  act: (id: string) => Promise<void>,
): Promise<void> {
  for (const name of await scope.list(prefix)) {
    if (budget.left <= 0) return
    budget.left--
    const pointer = await scope.get<Pointer>(prefix + name)
    if (pointer) await act(pointer.id)
    // Gone by now, unless it led nowhere.
    scope.remove(prefix + name)
  }
}
