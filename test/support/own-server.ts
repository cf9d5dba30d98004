/**
 * A server program of the machine, in a folder of its own, for as long as a test lives. A shell stands
 * between: when this process is gone, however it went, the shell's input ends, and it ends the server
 * and removes the folder. As root the programs run as somebody else, since some refuse to be root.
 */
import { spawn, spawnSync, type SpawnOptions } from 'node:child_process'
import { chownSync, existsSync, mkdtempSync, rmSync } from 'node:fs'
import { type AddressInfo, connect, createServer } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'

export type OwnServer = AsyncDisposable & {
  readonly dir: string
  /** Ends the process; the folder stays. */
  stop(signal?: 'INT' | 'TERM' | 'KILL' | 'QUIT'): Promise<void>
  /** Starts it again, on the same port and folder. */
  start(): Promise<void>
}

type Program = {
  argv: readonly string[]
  dir: string
  port: number
  /** How it ends at once. */
  signal: 'QUIT' | 'KILL'
  owner: Owner
}
type Owner = Pick<SpawnOptions, 'uid' | 'gid'>

const READY_MS = 20_000
const GUARD = '"$@" </dev/null & pid=$!; read -r word; kill -"${word:-$SIGNAL}" $pid; wait $pid; '
const REMOVE = '[ -n "$word" ] || rm -rf "$FOLDER"'

/** The first of these that is there; undefined = it is not installed. */
export const programAt = (...paths: readonly string[]) => paths.find((path) => existsSync(path))

/** Who the programs run as: this user, or another where this one is root. */
export function ownerFor(user: string): Owner {
  if (process.getuid?.() !== 0) return {}
  const id = (flag: string) =>
    Number(spawnSync('id', [flag, user], { encoding: 'utf8' }).stdout || 65_534)
  return { uid: id('-u'), gid: id('-g') }
}

export function ownFolder(name: string, { uid, gid }: Owner): string {
  const dir = mkdtempSync(join(tmpdir(), `coffer-${name}-`))
  if (uid !== undefined && gid !== undefined) chownSync(dir, uid, gid)
  return dir
}

/** Runs a program to its end; its output only when it fails. */
export function runOnce(argv: readonly string[], options: SpawnOptions & { dir: string }): void {
  const [program = '', ...rest] = argv
  const done = spawnSync(program, rest, { ...options, cwd: options.dir, encoding: 'utf8' })
  if (done.status !== 0) throw new Error(`${program}: ${done.stderr} ${done.stdout}`)
}

export async function ownServer(program: Program): Promise<OwnServer> {
  let running: { stop: (word: string) => Promise<void> } | undefined

  async function start(): Promise<void> {
    const guard = spawn('sh', ['-c', GUARD + REMOVE, 'guard', ...program.argv], {
      ...program.owner,
      cwd: program.dir,
      env: { PATH: process.env['PATH'], FOLDER: program.dir, SIGNAL: program.signal },
      stdio: ['pipe', 'ignore', 'ignore'],
    })
    guard.unref()
    const gone = new Promise<void>((done) => guard.once('exit', () => done()))
    const { stdin } = guard
    ;(stdin as unknown as { unref(): void }).unref()
    running = {
      async stop(word) {
        guard.ref()
        stdin.end(word && `${word}\n`)
        await gone
        running = undefined
      },
    }
    await answers(program.port)
  }

  await start()
  return {
    dir: program.dir,
    start,
    stop: async (signal = program.signal) => running?.stop(signal),
    async [Symbol.asyncDispose]() {
      await running?.stop('')
      rmSync(program.dir, { recursive: true, force: true })
    },
  }
}

export async function freePort(): Promise<number> {
  const server = createServer()
  await new Promise<void>((done) => server.listen(0, '127.0.0.1', done))
  const { port } = server.address() as AddressInfo
  await new Promise((done) => server.close(done))
  return port
}

async function answers(port: number): Promise<void> {
  const end = performance.now() + READY_MS
  for (;;) {
    const open = await new Promise<boolean>((done) => {
      const socket = connect(port, '127.0.0.1')
      socket.once('connect', () => done(true)).once('error', () => done(false))
      socket.once('connect', () => socket.destroy())
    })
    if (open) return
    if (performance.now() > end) throw new Error(`no server on port ${port}`)
    await new Promise((later) => setTimeout(later, 10))
  }
}
