/**
 * How often a key has sealed. A random 96-bit nonce allows 2^32 uses of one AES-GCM key, so the
 * count must survive crashes and be shared by all nodes: each node reserves a block of uses in the
 * store before it takes from it. A crash wastes the rest of a block; the count never goes back.
 */
import { type Store, StoreConflict } from '../storage/store.ts'

const BLOCK = 2 ** 20
/** Asked to rotate here, at half of what is allowed (NIST SP 800-38D, section 8.3). */
export const ROTATE_AT = 2 ** 31

export type KeyUsage = {
  /** Takes `uses` from the reserved block; false = reserve first. */
  take(uses: number): boolean
  refill(uses: number): Promise<void>
  total(): Promise<number>
}

export function keyUsage(store: Store, term: number): KeyUsage {
  const key = `core/usage/${term}`
  let left = 0
  let filling: Promise<void> | undefined

  async function stored(): Promise<{ count: number; revision: number }> {
    const entry = await store.get(key)
    return {
      count: entry ? Number(Buffer.from(entry.value).toString()) : 0,
      revision: entry?.revision ?? 0,
    }
  }

  async function reserve(): Promise<void> {
    for (;;) {
      const { count, revision } = await stored()
      const value = Buffer.from(String(count + BLOCK))
      try {
        await store.write([{ key, value }], { keys: [{ key, revision }], ranges: [] })
        left += BLOCK
        return
      } catch (error) {
        if (!(error instanceof StoreConflict)) throw error
      }
    }
  }

  return {
    take(uses) {
      if (left < uses) return false
      left -= uses
      return true
    },
    async refill(uses) {
      while (left < uses) {
        filling ??= reserve().finally(() => (filling = undefined))
        await filling
      }
      left -= uses
    },
    async total() {
      return (await stored()).count - left
    },
  }
}
