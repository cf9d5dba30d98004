/**
 * Moves and copies secrets with all their versions, from mount to mount, in the one transaction of
 * the request: all of it or nothing. What the caller may not see stays where it is and is not
 * counted; what they see and may not take, or may not put there, fails the whole.
 */
import { type Call } from '../kit/call.ts'
import { Failure, refuse } from '../kit/failure.ts'
import { type Leaf } from '../kit/tree.ts'
import { asFolder, fullPath, isFolder, leavesOf, type Spot, type TreeView } from './tree-view.ts'

export type Transfer = {
  from: string
  to: string
  recursive: boolean
  overwrite: boolean
  /** Only the newest version, where the target keeps no more. */
  newestOnly: boolean
  cas: number | undefined
  /** Nothing is changed; the answer is that of the real one. */
  dryRun: boolean
}

type Pair = { from: Spot; to: Spot; leaf: Leaf; replaces: boolean }

/** What fits into one transaction, with room to spare. */
const SECRETS_MAX = 1_000
const VERSIONS_MAX = 5_000
const CHARS_MAX = 16 * 1024 * 1024

const SMALLER = 'nothing was changed; do it folder by folder'

export async function transfer(
  call: Call<never>,
  view: TreeView,
  { move, ...asked }: Transfer & { move: boolean },
): Promise<{ from: string; to: string }[]> {
  const pairs = await pairsOf(view, call.now, { move, ...asked })
  if (pairs.length === 0) throw new Failure('not_found', `nothing to be seen at ${asked.from}`)
  if (asked.cas !== undefined && pairs.length > 1) refuse('cas is for one secret at a time')
  await checkTargets(view, pairs, { move, ...asked })
  const told = pairs.map(({ from, to }) => ({ from: fullPath(from), to: fullPath(to) }))
  if (asked.dryRun) return told
  const parts = { now: call.now, random: call.random }
  for (const { from } of move ? pairs : []) {
    await from.tree.remove({ store: from.store, random: call.random }, from.path)
  }
  for (const { from, to, leaf, replaces } of pairs) {
    const cas = asked.cas === undefined ? {} : { cas: asked.cas }
    await to.tree.import({ ...parts, ...cas, store: to.store }, to.path, leaf)
    view.note(from, 'take')
    if (move) view.note(from, 'remove')
    view.note(to, replaces ? 'replace' : 'create')
    if (move) view.emit(from, 'kv.move')
    view.emit(to, 'kv.write', to.tree.versioned ? leaf.current : undefined)
  }
  return told
}

async function pairsOf(
  view: TreeView,
  now: number,
  asked: Transfer & { move: boolean },
): Promise<Pair[]> {
  const from = await view.at(asked.from)
  const to = await view.at(asked.to)
  if (!asked.recursive) {
    if (isFolder(from) || isFolder(to)) refuse('a path that ends in "/" is a folder: say recursive')
    if (fullPath(from) === fullPath(to)) refuse('from and to are the same path')
    view.require(from, 'take')
    if (asked.move) view.require(from, 'remove')
    const leaf = await from.tree.export(from.store, from.path, now)
    return leaf ? [await paired(view, { from, to, leaf }, asked)] : []
  }
  const [source, target] = [asFolder(from), asFolder(to)]
  if (fullPath(target).startsWith(fullPath(source))) refuse('a folder cannot be put into itself')
  const pairs: Pair[] = []
  const size = { versions: 0, chars: 0 }
  for await (const { spot, path } of leavesOf(view, [{ spot: source, prefix: '' }])) {
    view.require(spot, 'take')
    if (asked.move) view.require(spot, 'remove')
    const leaf = await spot.tree.export(spot.store, spot.path, now)
    if (!leaf) continue
    count(size, leaf)
    if (pairs.length === SECRETS_MAX) refuse(`more than ${SECRETS_MAX} secrets: ${SMALLER}`)
    const put = { from: spot, to: { ...target, path: target.path + path }, leaf }
    pairs.push(await paired(view, put, asked))
  }
  return pairs
}

function count(size: { versions: number; chars: number }, { versions }: Leaf): void {
  for (const { text = '' } of Object.values(versions)) {
    size.versions++
    size.chars += text.length
  }
  if (size.versions > VERSIONS_MAX) refuse(`more than ${VERSIONS_MAX} versions: ${SMALLER}`)
  if (size.chars > CHARS_MAX) refuse(`more than ${CHARS_MAX} characters: ${SMALLER}`)
}

async function paired(
  view: TreeView,
  put: Omit<Pair, 'replaces'>,
  { newestOnly }: Transfer,
): Promise<Pair> {
  const { from, to } = put
  const leaf = to.tree.versioned || !from.tree.versioned ? put.leaf : newest(put, newestOnly)
  // Judged before it is looked at: whether something is there is told to nobody else.
  if (!view.may(to, 'create', leaf) && !view.may(to, 'replace', leaf)) {
    view.require(to, 'create', leaf)
  }
  const replaces = await to.tree.exists(to.store, to.path)
  return { ...put, leaf, replaces }
}

/** A store without versions has no place for the history, and it is not dropped unasked. */
function newest({ from, leaf }: Omit<Pair, 'replaces'>, newestOnly: boolean): Leaf {
  if (newestOnly) return leaf
  return refuse(
    `the target keeps no versions: with newest_only, only the newest version of ` +
      `${fullPath(from)} is taken, without its history and metadata`,
  )
}

async function checkTargets(
  view: TreeView,
  pairs: readonly Pair[],
  asked: Transfer & { move: boolean },
): Promise<void> {
  const gone = new Set(asked.move ? pairs.map(({ from }) => fullPath(from)) : [])
  for (const pair of pairs) {
    const path = fullPath(pair.to)
    if (pair.replaces && gone.has(path)) pair.replaces = false
    view.require(pair.to, pair.replaces ? 'replace' : 'create', pair.leaf)
    if (pair.replaces && !asked.overwrite && asked.cas === undefined) {
      refuse(`there is a secret at ${path} already: overwrite, or cas, replaces it`)
    }
  }
}
