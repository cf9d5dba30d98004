/** What a push adds, from what git tells a pre-push hook: githooks(5). */
import { asked } from '../../../scan/git-run.ts'

const NO_OBJECT = /^0+$/
const OBJECT = /^[0-9a-f]{40}(?:[0-9a-f]{24})?$/

/** One range for each ref that is pushed, as git log takes it; none for a ref that is deleted. */
export async function pushedRanges(
  folder: string,
  told: string,
  remote: string,
): Promise<string[][]> {
  const ranges: string[][] = []
  for (const line of told.split('\n')) {
    const [, local = '', , there = ''] = line.split(' ')
    if (!OBJECT.test(local) || !OBJECT.test(there) || NO_OBJECT.test(local)) continue
    // What the other side has may never have been fetched; then what else it had counts.
    const known =
      !NO_OBJECT.test(there) &&
      (await asked(folder, ['cat-file', '-e', `${there}^{commit}`])) !== undefined
    ranges.push(known ? [`${there}..${local}`] : [local, '--not', `--remotes=${remote}`])
  }
  return ranges
}
