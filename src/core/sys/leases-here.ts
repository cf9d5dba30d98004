/** Which leases a request may know of by their ids: those of its namespace, and below. */
import { type Call } from '../../kit/call.ts'
import { getLease, type LeaseEntry } from '../leases.ts'
import { namespaceById } from '../namespaces.ts'
import { isHere, txOf } from '../turn.ts'

/** Undefined for any other id, whether or not there is such a lease elsewhere. */
export async function leaseHere(call: Call<never>, id: string): Promise<LeaseEntry | undefined> {
  const entry = await getLease(txOf(call), id)
  return entry && (await isHere(call, entry.namespace)) ? entry : undefined
}

/** As answers tell it: nothing in the root. */
export async function namespacePathOf(call: Call<never>, { namespace }: LeaseEntry) {
  if (!namespace) return {}
  return { namespace_path: (await namespaceById(txOf(call), namespace.id))?.path ?? '' }
}
