/** The namespaces that a request may speak of: those below its own. */
import { type Call } from '../../kit/call.ts'
import { type Namespace, namespacesOf } from '../namespaces.ts'
import { turnOf, txOf } from '../turn.ts'

/** The namespace of a path below the one that is asked; undefined when there is none. */
export async function namespaceBelow(
  call: Call<never>,
  path: string,
): Promise<Namespace | undefined> {
  const bare = path.replace(/\/$/, '')
  // Nothing stands for the namespace that is asked: a policy that names a path is about that path.
  if (bare === '') return undefined
  const all = await namespacesOf(txOf(call))
  return all?.byPath.get(`${turnOf(call).ns.path}${bare}/`)
}

/** Where no mount can be, since requests go to the namespaces there. */
export async function namespacePaths(
  call: Call<never>,
): Promise<{ path: string; class: 'secret' }[]> {
  const { ns } = turnOf(call)
  const all = await namespacesOf(txOf(call))
  return [...(all?.byPath.values() ?? [])]
    .filter(({ parent }) => parent?.uuid === ns.uuid)
    .map(({ path }) => ({ path: path.slice(ns.path.length), class: 'secret' }))
}
