/**
 * A store that breaks at a chosen write and then takes none any more, as if the process had died
 * there, or goes on as a disk does that has failed once. Two ways are a real disk's; the other two are defects a test must be able to find.
 */
import { type Store } from '../../src/storage/store.ts'

/**
 * `before`: nothing of the write is there. `after`: all of it is, but nobody is told.
 * `torn`: half of the batch is there. `forgotten`: it is acknowledged, but not there.
 */
export type Break = 'before' | 'after' | 'torn' | 'forgotten'

export type FaultyStore = Store & {
  readonly broken: boolean
  /** Breaks at the n-th write from now; one that mends is broken for that write only. */
  breakAt(write: number, how: Break, mends: boolean): void
}

export function faultyStore(disk: Store): FaultyStore {
  let left = Infinity
  let how: Break = 'before'
  let broken = false
  let mended = false
  const trouble = () => new Error('storage: broken by the test')
  return {
    ...disk,
    get broken() {
      return broken
    },
    breakAt(write, way, mends) {
      left = write
      how = way
      mended = mends
      broken = false
    },
    async write(batch, expect, log) {
      if (broken && !mended) throw trouble()
      if (broken || --left > 0) return disk.write(batch, expect, log)
      // A conflict is no failure: the write after it is the one that breaks.
      const kept = how === 'after' ? batch : how === 'torn' ? batch.slice(0, batch.length / 2) : []
      const revision = await disk.write(kept, expect, how === 'after' ? log : undefined)
      broken = true
      if (how === 'forgotten') return revision
      throw trouble()
    },
  }
}
