/** The rotation that a path names, as callers name it: `database/static-creds/app`, `secret/app/db`. */
import { type Call } from '../../kit/call.ts'
import { Failure, refuse } from '../../kit/failure.ts'
import { type RotationKind } from '../../kit/rotation.ts'
import { canonicalInput } from '../canonical-path.ts'
import { type Core } from '../core.ts'
import { entriesUnder, type Mount } from '../mounts.ts'
import { policyPathOf, scopeOf, type Turn } from '../turn.ts'
import { type Subject } from './orders.ts'
import { getRotation, idOf, type RotationEntry } from './record.ts'

export type Place = { readonly mount: Mount; readonly path: string; readonly id: string }

/** Where a path leads, whether or not there is a rotation; undefined = to no mount. */
export async function placeOf(
  call: Call<never>,
  core: Core,
  given: string,
): Promise<Place | undefined> {
  const whole = canonicalInput(given.replace(/^\//, ''))
  if (whole === '' || whole.endsWith('/')) refuse('say which rotation: the path its readers read')
  const mount = await core.mounts.find(scopeOf(call), whole)
  if (!mount) return undefined
  const path = whole.slice(mount.entry.path.length)
  return { mount, path, id: idOf(mount.entry.uuid, path) }
}

/** Throws a 404 where there is none. */
export async function subjectOf(call: Call<never>, core: Core, given: string): Promise<Subject> {
  const place = await placeOf(call, core, given)
  const scope = scopeOf(call)
  const entry = place && (await getRotation(scope, place.id))
  const kind = entry && place.mount.engine.rotations?.[entry.of]
  if (!kind || entry.state === 'RETIRING')
    throw new Failure('not_found', `no rotation at "${given}"`)
  return { scope, mount: place.mount, kind, entry, id: place.id }
}

export const fullPathOf = (mount: Mount, entry: RotationEntry): string =>
  mount.entry.path + entry.path

/** Whether the caller may read what is served there: they may then know of it and acknowledge it. */
export function mayRead(
  turn: Turn,
  of: { mount: Mount; kind: RotationKind; entry: RotationEntry },
) {
  return mayThere(turn, of, 'read')
}

export function mayThere(
  turn: Turn,
  { mount, kind, entry }: { mount: Mount; kind: RotationKind; entry: Pick<RotationEntry, 'name'> },
  operation: 'read' | 'update',
): boolean {
  const at = kind.readableAt?.(entry.name) ?? kind.servedAt(entry.name)
  const path = policyPathOf(turn, mount.entry.path + at)
  return turn.acl?.check({ path, operation, data: {} }).allowed === true
}

export const storeOf = (call: Call<never>, mount: Mount) =>
  entriesUnder(scopeOf(call), mount.prefix)
