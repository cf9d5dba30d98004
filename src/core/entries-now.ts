/**
 * A mount's entries for work that runs outside any request: each question is asked of the newest
 * state, and nothing can be written.
 */
import { type Tx } from '../barrier/space.ts'
import { type RotationJob } from '../kit/rotation.ts'
import { type Awaitable } from '../lib/awaitable.ts'
import { entriesUnder, type Mount } from './mounts.ts'
import { type Home, scopeOfHome } from './namespaces.ts'
import { Failure } from '../kit/failure.ts'

export type EntriesNow = RotationJob['store']

/** `begin` gives a transaction, or nothing while the server is sealed. */
export function entriesNow(
  begin: () => Awaitable<Tx | undefined>,
  mount: Mount,
  home: Home | undefined,
): EntriesNow {
  const entries = async () => {
    const tx = await begin()
    if (!tx) throw new Failure('sealed')
    return entriesUnder(scopeOfHome(tx, home), mount.prefix)
  }
  return {
    get: async (key) => (await entries()).get(key),
    list: async (prefix, page) => (await entries()).list(prefix, page),
  }
}
