/** What git knows, asked of git itself: which files there are, and changes as lists of blobs. */
import { ask, git, tokens } from './git-run.ts'

export type Change = {
  readonly path: string
  /** What was there before, in each parent; empty where nothing was. */
  readonly old: readonly string[]
  /** Undefined where it is gone now. */
  readonly blob: string | undefined
}

export type Commit = {
  readonly id: string
  readonly author: string
  readonly email: string
  readonly date: string
}

/** Before the message. */
const HEAD_FIELDS = 4
const GITLINK = '160000'
const NO_BLOB = /^0+$/
const STATUS = /^\n?(:+)\d{6} /

/**
 * Every change of every commit, the oldest first; of a merge only what is in none of its parents, for
 * that alone is the merge's own. `range` as git log takes it; none = all refs.
 *
 * Between NULs: id, author, email, date, message, then for each change its status and its path. Fields
 * are counted, so no name of a file or of a person and no message can be taken for something else.
 */
export async function* history(
  folder: string,
  range: readonly string[],
): AsyncGenerator<{ commit: Commit; message: Buffer; changes: Change[] }> {
  const what = range.length > 0 ? range : ['--all']
  const child = git(folder, [
    ...[
      'log',
      '--topo-order',
      '--reverse',
      '--raw',
      '-z',
      '-c',
      '--root',
      '--no-abbrev',
      '--no-renames',
    ],
    // A repository's own configuration must not leave out merges, roots or files.
    ...['--no-mailmap', '--no-show-signature', '--no-color', '--no-relative'],
    ...['--ignore-submodules=none', '-O/dev/null', '--format=%H%x00%an%x00%ae%x00%aI%x00%B'],
    ...what,
    '--',
  ])
  child.stdin.end()
  try {
    let head: string[] = []
    let message: Buffer | undefined
    let changes: Change[] = []
    let status: string | undefined
    for await (const bytes of tokens(child.stdout)) {
      if (head.length === HEAD_FIELDS && message === undefined) {
        message = Buffer.from(bytes)
        continue
      }
      const token = bytes.toString('utf8')
      if (status !== undefined) {
        const change = changeOf(status, token)
        if (change) changes.push(change)
        status = undefined
      } else if (head.length > 0 && head.length < HEAD_FIELDS) head.push(token)
      else if (STATUS.test(token)) status = token.trim()
      else if (token !== '') {
        if (message) yield { commit: commitOf(head), message, changes }
        head = [token.trim()]
        message = undefined
        changes = []
      }
    }
    await child.ended
    if (message) yield { commit: commitOf(head), message, changes }
  } finally {
    child.stop()
  }
}

const commitOf = ([id = '', author = '', email = '', date = '']: readonly string[]): Commit => {
  return { id, author, email, date: date.trim() }
}

/**
 * What `git diff --raw` tells, then the path: `:100644 100644 <old> <new> M`, or of a merge with n
 * parents n colons, n + 1 modes and n + 1 blobs.
 */
function changeOf(status: string, path: string): Change | undefined {
  const parents = STATUS.exec(status)?.[1]?.length ?? 1
  const words = status.slice(parents).split(' ')
  const modes = words.slice(0, parents + 1)
  const ids = words.slice(parents + 1, 2 * parents + 2)
  const isBlob = (id: string, i: number) => !NO_BLOB.test(id) && modes[i] !== GITLINK
  const old = ids.slice(0, parents).filter(isBlob)
  const blob = isBlob(ids[parents]!, parents) ? ids[parents] : undefined
  return blob === undefined && old.length === 0 ? undefined : { path, old, blob }
}

/** What is about to be committed, and what would be gone. */
export async function staged(folder: string): Promise<Change[]> {
  const child = git(folder, [
    ...['diff', '--cached', '--raw', '-z', '--no-abbrev', '--no-renames', '--no-ext-diff'],
    ...['--ignore-submodules=none', '--no-relative', '-O/dev/null'],
  ])
  child.stdin.end()
  const changes: Change[] = []
  let status: string | undefined
  for await (const bytes of tokens(child.stdout)) {
    const token = bytes.toString('utf8')
    if (status === undefined) {
      status = token.trim()
      continue
    }
    const change = changeOf(status, token)
    if (change) changes.push(change)
    status = undefined
  }
  await child.ended
  return changes
}

/** How many commits there are to look at; it takes a while where there are many. */
export async function countCommits(folder: string, range: readonly string[]): Promise<number> {
  const what = range.length > 0 ? range : ['--all']
  return Number((await ask(folder, ['rev-list', '--count', ...what, '--'])).toString())
}

export type Listed = {
  /** Files, and folders that are repositories of their own. */
  readonly names: readonly Buffer[]
  /** What git ignores; of an ignored folder only the folder. */
  readonly ignored: readonly Buffer[]
}

/** Names relative to the folder, or undefined where it is no part of a work tree, or all ignored. */
export async function listed(folder: string): Promise<Listed | undefined> {
  const list = async (...args: string[]) => {
    const child = git(folder, ['ls-files', '-z', '--exclude-standard', ...args, '--', '.'])
    child.stdin.end()
    const names: Buffer[] = []
    // A copy: a part of a chunk would keep all of it.
    for await (const name of tokens(child.stdout)) names.push(Buffer.from(name))
    await child.ended
    return names
  }
  try {
    const [names, ignored] = await Promise.all([
      list('--cached', '--others'),
      list('--others', '--ignored', '--directory'),
    ])
    // Git says nothing of what lies below an ignored folder; somebody has named that one.
    return names.length === 0 ? undefined : { names, ignored }
  } catch {
    return undefined
  }
}
