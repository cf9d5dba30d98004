/**
 * What git knows, asked of git itself: blobs by their names, changes as lists of blobs. No pack and no
 * index is read here, and nothing of a repository's configuration may run a program of its own.
 */
import { type ChildProcessByStdio, spawn } from 'node:child_process'
import { type Readable, type Writable } from 'node:stream'

export class GitError extends Error {
  override readonly name = 'GitError'
}

/** What a repository that is only looked at must not be able to start. */
const SAFE = [
  '-c',
  'core.fsmonitor=false',
  '-c',
  'core.hooksPath=/dev/null',
  '-c',
  'core.quotePath=false',
  '--no-pager',
  '--literal-pathspecs',
]

type Git = ChildProcessByStdio<Writable, Readable, Readable>

function git(folder: string, args: readonly string[]): Git {
  const env = { ...process.env, GIT_OPTIONAL_LOCKS: '0', LC_ALL: 'C' }
  return spawn('git', [...SAFE, ...args], { cwd: folder, env, stdio: ['pipe', 'pipe', 'pipe'] })
}

/** Rejects with a GitError when git ends badly; its first line says why. */
function ended(child: Git, what: string): Promise<void> {
  let trouble = ''
  child.stderr.on(
    'data',
    (bytes: Buffer) => void (trouble = (trouble + bytes.toString()).slice(0, 4096)),
  )
  return new Promise((resolve, reject) => {
    child.on('error', (error: NodeJS.ErrnoException) => {
      reject(
        new GitError(
          error.code === 'ENOENT' ? 'git is not installed' : `git ${what}: ${error.code}`,
        ),
      )
    })
    child.on('close', (code) => {
      if (code === 0) resolve()
      else
        reject(
          new GitError(trouble.split('\n')[0]?.replace(/^fatal: /, '') || `git ${what} failed`),
        )
    })
  })
}

/** All that git prints; for short answers. */
export async function ask(folder: string, args: readonly string[]): Promise<Buffer> {
  const child = git(folder, args)
  child.stdin.end()
  const parts: Buffer[] = []
  child.stdout.on('data', (part: Buffer) => parts.push(part))
  await ended(child, args[0] ?? '')
  return Buffer.concat(parts)
}

export type Change = {
  readonly path: string
  /** Undefined where it was not there before. */
  readonly old: string | undefined
  readonly blob: string
}

export type Commit = {
  readonly id: string
  readonly author: string
  readonly email: string
  readonly date: string
}

/** Marks a commit among the names; no object name and no status begins so. */
const MARK = '\u0001'
const GITLINK = '160000'
const NO_BLOB = /^0+$/

/**
 * Every change of every commit, the oldest first; of a merge against each of its parents. `range` as
 * git log takes it; none = all refs.
 */
export async function* history(
  folder: string,
  range: readonly string[],
): AsyncGenerator<{ commit: Commit; changes: Change[] }> {
  const what = range.length > 0 ? ['--end-of-options', ...range] : ['--all']
  const child = git(folder, [
    ...['log', '--reverse', '--raw', '-z', '-m', '--root', '--no-abbrev', '--no-renames'],
    `--format=${MARK}%H%x1f%an%x1f%ae%x1f%aI`,
    ...['--no-show-signature', '--no-color', ...what, '--'],
  ])
  child.stdin.end()
  const done = ended(child, 'log')
  done.catch(() => {})
  let commit: Commit | undefined
  let changes: Change[] = []
  let status: string | undefined
  for await (const token of tokens(child.stdout)) {
    const mark = token.indexOf(MARK)
    if (mark >= 0) {
      if (commit) yield { commit, changes }
      const [id = '', author = '', email = '', date = ''] = token.slice(mark + 1).split('\u001F')
      commit = { id, author, email, date: date.trim() }
      changes = []
    } else if (status !== undefined) {
      const change = changeOf(status, token)
      if (change) changes.push(change)
      status = undefined
    } else if (/^\s*:/.test(token)) status = token.trim()
  }
  await done
  if (commit) yield { commit, changes }
}

/** What `git diff --raw` tells: `:100644 100644 <old> <new> M`, then the path. */
function changeOf(status: string, path: string): Change | undefined {
  const [, mode, old = '', blob = ''] = status.slice(1).split(' ')
  if (mode === GITLINK || NO_BLOB.test(blob)) return undefined
  return { path, blob, old: NO_BLOB.test(old) ? undefined : old }
}

/** Parts of a stream that end with NUL. */
async function* tokens(stream: Readable): AsyncGenerator<string> {
  let rest: Buffer = Buffer.alloc(0)
  for await (const chunk of stream as AsyncIterable<Buffer>) {
    rest = rest.length === 0 ? chunk : Buffer.concat([rest, chunk])
    let from = 0
    for (let at = rest.indexOf(0, from); at >= 0; at = rest.indexOf(0, from)) {
      yield rest.toString('utf8', from, at)
      from = at + 1
    }
    rest = rest.subarray(from)
  }
  if (rest.length > 0) yield rest.toString('utf8')
}

/** What is about to be committed. */
export async function staged(folder: string): Promise<Change[]> {
  const args = ['diff', '--cached', '--raw', '-z', '--no-abbrev', '--no-renames']
  const text = (await ask(folder, [...args, '--no-ext-diff', '--diff-filter=ACMT'])).toString(
    'utf8',
  )
  const parts = text.split('\0')
  const changes: Change[] = []
  for (let i = 0; i + 1 < parts.length; i += 2) {
    const change = changeOf(parts[i]!.trim(), parts[i + 1]!)
    if (change) changes.push(change)
  }
  return changes
}

export type Blob =
  | { readonly id: string; readonly bytes: Buffer }
  | { readonly id: string; readonly size: number }

/**
 * The contents of blobs, in the order of their names; without bytes those that are larger than `max`
 * or not there (a shallow or partial clone).
 */
export async function* blobs(
  folder: string,
  ids: Iterable<string>,
  max: number,
): AsyncGenerator<Blob> {
  const child = git(folder, ['cat-file', '--batch', '--buffer'])
  const done = ended(child, 'cat-file')
  done.catch(() => {})
  // Written as it is read: neither side may fill a pipe that nobody empties.
  const writing = write(child.stdin, ids)
  writing.catch(() => {})
  const reader = reading(child.stdout)
  for (;;) {
    const head = await reader.line()
    if (head === undefined) break
    const [id = '', kind = '', length = ''] = head.split(' ')
    if (kind === 'missing' || kind === 'ambiguous' || length === '') {
      yield { id, size: -1 }
      continue
    }
    const size = Number(length)
    if (kind !== 'blob' || size > max) {
      await reader.skip(size + 1)
      if (kind === 'blob') yield { id, size }
      continue
    }
    const bytes = await reader.take(size)
    await reader.skip(1)
    yield { id, bytes }
  }
  await writing
  await done
}

async function write(stdin: Writable, ids: Iterable<string>): Promise<void> {
  stdin.on('error', () => {})
  let part: string[] = []
  const send = async () => {
    const text = part.join('')
    part = []
    if (!stdin.write(text)) await new Promise((resolve) => stdin.once('drain', resolve))
  }
  for (const id of ids) {
    part.push(`${id}\n`)
    if (part.length >= 256) await send()
  }
  await send()
  stdin.end()
}

type Reader = {
  line(): Promise<string | undefined>
  take(size: number): Promise<Buffer>
  skip(size: number): Promise<void>
}

function reading(stream: Readable): Reader {
  const source = (stream as AsyncIterable<Buffer>)[Symbol.asyncIterator]()
  let parts: Buffer[] = []
  let length = 0

  async function more(): Promise<boolean> {
    const { value, done } = await source.next()
    if (done) return false
    parts.push(value)
    length += value.length
    return true
  }
  function cut(size: number): Buffer {
    const all = parts.length === 1 ? parts[0]! : Buffer.concat(parts)
    const rest = all.subarray(size)
    parts = rest.length > 0 ? [rest] : []
    length = rest.length
    return all.subarray(0, size)
  }
  return {
    async line() {
      for (;;) {
        const end = parts[0]?.indexOf(10) ?? -1
        if (end >= 0) return cut(end + 1).toString('utf8', 0, end)
        if (parts.length > 1) parts = [Buffer.concat(parts)]
        else if (!(await more())) return undefined
      }
    },
    async take(size) {
      while (length < size)
        if (!(await more())) throw new GitError('git ended in the middle of a blob')
      return cut(size)
    },
    async skip(size) {
      for (let left = size; left > 0;) {
        if (length === 0 && !(await more())) throw new GitError('git ended in the middle of a blob')
        const now = Math.min(left, length)
        cut(now)
        left -= now
      }
    },
  }
}
