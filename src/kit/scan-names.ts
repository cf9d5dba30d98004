/** Walks the folders of a store: the names of all entries below a prefix, as paths, in order. */
import { breather } from '../lib/breathe.ts'
import { compareBytes } from '../lib/bytewise.ts'
import { type Page } from '../storage/store.ts'
import { type EntryStore } from './call.ts'
import { refuse } from './failure.ts'

/** More than this in one answer is asked for in pages. */
const NAMES_MAX = 100_000

/**
 * Paths below `prefix` ('' or ending in '/'), relative to it, bytewise sorted; no folders. Reads no
 * folder that lies wholly before `after`, and stops at `limit`. Throws a 400 when there are more
 * than `most`.
 */
export async function scanNames(
  store: EntryStore,
  prefix: string,
  { after, limit, most = NAMES_MAX }: Page & { most?: number } = {},
): Promise<string[]> {
  const enough = limit && limit <= most ? limit : Infinity
  const found: string[] = []
  const breathe = breather()
  // A folder's name ends in a slash, so names in order and depth first is paths in order.
  const walk = async (folder: string): Promise<void> => {
    const names = await store.list(prefix + folder)
    await breathe(names.length)
    for (const name of names) {
      if (found.length >= enough) return
      const path = folder + name
      if (name.endsWith('/')) {
        if (after === undefined || reachesPast(path, after)) await walk(path)
      } else if (after === undefined || compareBytes(path, after) > 0) {
        found.push(path)
        if (found.length > most) tooMany(most)
      }
    }
  }
  await walk('')
  return found
}

const reachesPast = (folder: string, after: string) =>
  after.startsWith(folder) || compareBytes(folder, after) > 0

function tooMany(most: number): never {
  refuse(`more than ${most} names: ask for them in pages, with after and limit`)
}
