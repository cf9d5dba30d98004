/** Finds entries whose time has come among the hidden names of the store. */
import { type Store } from '../storage/store.ts'

export type DueSearch = {
  limit: number
  skip: ReadonlySet<string>
  /** By the hidden name; absent = all. */
  wanted?: (key: string) => boolean
}

/** Names are cheap to look through; more of them than this wait for those before them. */
const LOOKED_MAX = 100_000

/** The most overdue first, without those of `skip`, and only those that are wanted. */
export async function findDue(store: Store, now: number, of: DueSearch): Promise<string[]> {
  const { limit, skip, wanted = () => true } = of
  for (let asked = limit + skip.size; ; asked *= 4) {
    const { keys } = await store.due(now, asked)
    const some = keys.filter((key) => !skip.has(key) && wanted(key)).slice(0, limit)
    if (some.length === limit || keys.length < asked || asked >= LOOKED_MAX) return some
  }
}
