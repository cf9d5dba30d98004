/**
 * Entries of core that are worth nothing after their time: what uses one judges by `expiresAt`, and
 * the node that has the duty of expiry removes it later (expiry.ts).
 */
import { type Tx } from '../barrier/space.ts'

export type PassingEntry = {
  kind: 'passing'
  /** Where it is stored: the index of due entries leads to the entry, not to its path. */
  path: string
  /** Milliseconds since the epoch. */
  expiresAt: number
}

export function putPassing(tx: Tx, entry: PassingEntry): void {
  tx.put(entry.path, entry, entry.expiresAt)
}

/** Removes an entry whose time is over; one that was written anew meanwhile stays. */
export async function removePassed(tx: Tx, path: string, now: number): Promise<void> {
  const entry = await tx.get<PassingEntry>(path)
  if (entry?.kind === 'passing' && entry.expiresAt <= now) tx.remove(path)
}
