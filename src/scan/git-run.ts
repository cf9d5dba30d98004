/**
 * Starting git. No pack and no index is read here, and nothing of a repository's configuration may run
 * a program of its own: a repository that is scanned may be one that nobody trusts yet.
 */
import { type ChildProcessByStdio, spawn } from 'node:child_process'
import type { Readable, Writable } from 'node:stream'

export class GitError extends Error {
  override readonly name = 'GitError'
}

/** What a repository that is only looked at must not be able to start. */
const SAFE = [
  ...['-c', 'core.fsmonitor=false'],
  ...['-c', 'core.quotePath=false'],
  '--no-pager',
  '--literal-pathspecs',
]

export type Git = {
  readonly stdin: Writable
  readonly stdout: Readable
  /** Resolves when git ended well, rejects with a GitError whose text is git's own first line. */
  readonly ended: Promise<void>
  /** Ends it, where nobody wants the rest. */
  readonly stop: () => void
}

const TROUBLE_MAX = 4096

/** A partial clone fetches what is missing when it is asked for; a scan asks nobody. */
const ENV = {
  GIT_OPTIONAL_LOCKS: '0',
  GIT_NO_LAZY_FETCH: '1',
  GIT_NO_REPLACE_OBJECTS: '1',
  LC_ALL: 'C',
}

export function git(folder: string, args: readonly string[]): Git {
  const child: ChildProcessByStdio<Writable, Readable, Readable> = spawn(
    'git',
    [...SAFE, ...args],
    {
      cwd: folder,
      env: { ...process.env, ...ENV },
      stdio: ['pipe', 'pipe', 'pipe'],
    },
  )
  // It may end before it has read what it is told.
  child.stdin.on('error', () => {})
  let trouble = ''
  child.stderr.on('data', (bytes: Buffer) => {
    trouble = (trouble + bytes.toString()).slice(0, TROUBLE_MAX)
  })
  const ended = new Promise<void>((resolve, reject) => {
    child.on('error', ({ code }: NodeJS.ErrnoException) => {
      reject(
        new GitError(code === 'ENOENT' ? 'git is not installed' : `git does not start: ${code}`),
      )
    })
    child.on('close', (code) => {
      const why = trouble.split('\n')[0]?.replace(/^(?:fatal|error): /, '')
      if (code === 0) resolve()
      else reject(new GitError(why || `git ${args[0] ?? ''} failed`))
    })
  })
  // Whoever reads to the end awaits it; whoever stops before does not care.
  ended.catch(() => {})
  return { stdin: child.stdin, stdout: child.stdout, ended, stop: () => void child.kill() }
}

/** All that git prints; for short answers. */
export async function ask(folder: string, args: readonly string[]): Promise<Buffer> {
  const child = git(folder, args)
  child.stdin.end()
  const parts: Buffer[] = []
  child.stdout.on('data', (part: Buffer) => parts.push(part))
  await child.ended
  return Buffer.concat(parts)
}

/** The first line of the answer, or undefined where git says no. */
export async function asked(folder: string, args: readonly string[]): Promise<string | undefined> {
  try {
    return (await ask(folder, args)).toString('utf8').split('\n')[0]
  } catch (error) {
    if (error instanceof GitError) return undefined
    throw error
  }
}

/** Parts of a stream that end with NUL, as the bytes they are: a name need not be UTF-8. */
export async function* tokens(stream: Readable): AsyncGenerator<Buffer> {
  let rest: Buffer = Buffer.alloc(0)
  for await (const chunk of stream as AsyncIterable<Buffer>) {
    rest = rest.length === 0 ? chunk : Buffer.concat([rest, chunk])
    let from = 0
    for (let at = rest.indexOf(0, from); at >= 0; at = rest.indexOf(0, from)) {
      yield rest.subarray(from, at)
      from = at + 1
    }
    rest = rest.subarray(from)
  }
  if (rest.length > 0) yield rest
}
