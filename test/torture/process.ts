/**
 * Real server processes for the tests that kill them: started from a configuration file in a folder
 * of their own, opened with the keys their first start gave, and ended for sure when the test ends.
 */
import { type ChildProcess, spawn, spawnSync } from 'node:child_process'
import { mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { dirname, join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import { fileURLToPath } from 'node:url'
import { COMPILED } from '../support/compiled.ts'
import { client, type Client } from './client.ts'

export const ROOT_FOLDER = dirname(dirname(dirname(fileURLToPath(import.meta.url))))
export const COFFER = [join(ROOT_FOLDER, 'bin', 'coffer'), 'server']

const READY_MS = 20_000

/** What outlives a process: its data, and the keys its first start gave. */
export type Home = {
  readonly folder: string
  readonly database: string
  readonly auditFile: string
  key: string
  root: string
}

export type Launch = {
  workers?: number
  /** Writes the audit file of the home; off by default. */
  audit?: boolean
  /** In front of the program: strace, unshare. */
  through?: readonly string[]
  /** Instead of bin/coffer; is given `-config=FILE` as well. */
  program?: readonly string[]
}

export type Coffer = {
  readonly home: Home
  readonly port: number
  /** The process that was started: with several workers, their parent. */
  readonly pid: number
  /** As root, over at most so many connections. */
  readonly root: Client
  client(connections: number, token?: string): Client
  /** Processes below the one that was started. */
  workers(): number[]
  log(): string
  exited: Promise<{ code: number | null; signal: string | null }>
  /** SIGKILL for all of its processes at once. */
  kill(): Promise<void>
  /** SIGTERM, and the exit code. */
  stop(): Promise<number | null>
}

const homes: string[] = []
const alive = new Set<ChildProcess>()
process.on('exit', () => {
  for (const child of alive) killAll(child.pid!)
  for (const folder of homes) rmSync(folder, { recursive: true, force: true })
})

export function newHome(): Home {
  const folder = mkdtempSync(join(tmpdir(), 'coffer-torture-'))
  homes.push(folder)
  mkdirSync(join(folder, 'data'))
  return {
    folder,
    database: join(folder, 'data', 'coffer.db'),
    auditFile: join(folder, 'audit.log'),
    key: '',
    root: '',
  }
}

/** Ends every process this file has started and removes their folders. For `after` hooks. */
export async function endAll(): Promise<void> {
  const gone = [...alive].map((child) => new Promise((done) => child.once('exit', done)))
  for (const child of alive) killAll(child.pid!)
  await Promise.all(gone)
  for (const folder of homes.splice(0)) rmSync(folder, { recursive: true, force: true })
}

function writeConfig(home: Home, { workers = 1, audit = false }: Launch): string {
  const file = join(home.folder, 'coffer.hcl')
  const text = [
    `storage "sqlite" { path = ${JSON.stringify(home.database)} }`,
    'listener "tcp" {',
    '  address = "127.0.0.1:0"',
    '  tls_disable = true',
    '}',
    `workers = ${workers}`,
    ...(audit
      ? [`audit "file" "main" { options { file_path = ${JSON.stringify(home.auditFile)} } }`]
      : []),
  ]
  writeFileSync(file, `${text.join('\n')}\n`)
  return file
}

/** Starts a server; resolves when it listens, sealed or not. */
export async function launch(home: Home, options: Launch = {}): Promise<Coffer> {
  const config = writeConfig(home, options)
  const [file, ...args] = [...(options.through ?? []), ...(options.program ?? COFFER)]
  const child = spawn(file!, [...args, `-config=${config}`], {
    cwd: home.folder,
    env: {
      PATH: process.env['PATH'] ?? '',
      HOME: home.folder,
      XDG_CACHE_HOME: COMPILED,
      NO_COLOR: '1',
    },
    stdio: ['ignore', 'pipe', 'pipe'],
  })
  alive.add(child)
  let [out, err] = ['', '']
  child.stderr.setEncoding('utf8').on('data', (text: string) => (err = (err + text).slice(-65_536)))
  const exited = new Promise<{ code: number | null; signal: string | null }>((done) => {
    child.once('exit', (code, signal) => {
      alive.delete(child)
      done({ code, signal })
    })
    child.once('error', (error) => {
      alive.delete(child)
      err += error.message
      done({ code: -1, signal: null })
    })
  })
  const port = await new Promise<number>((done, failed) => {
    const late = setTimeout(() => failed(new Error(`not ready in time:\n${err}`)), READY_MS)
    child.stdout.setEncoding('utf8').on('data', (text: string) => {
      out = (out + text).slice(-65_536)
      const found = /addr: "127\.0\.0\.1:(\d+)"/.exec(out)
      if (!found) return
      clearTimeout(late)
      done(Number(found[1]))
    })
    void exited.then(({ code, signal }) => {
      clearTimeout(late)
      failed(new Error(`ended before it was ready (${signal ?? code}):\n${out}\n${err}`))
    })
  })
  const pid = child.pid!
  return {
    home,
    port,
    pid,
    get root() {
      return client({ port, connections: 16, token: home.root })
    },
    client: (connections, token = home.root) => client({ port, connections, token }),
    workers: () => descendants(pid),
    log: () => err,
    exited,
    async kill() {
      killAll(pid)
      await exited
    },
    async stop() {
      child.kill('SIGTERM')
      return (await exited).code
    },
  }
}

/** As `launch`, and open: initialized the first time, unsealed, with kv version 2 at secret/. */
export async function open(home: Home, options: Launch = {}): Promise<Coffer> {
  const coffer = await launch(home, options)
  const first = home.key === ''
  const gate = client({ port: coffer.port, connections: 1, token: home.root })
  if (first) {
    const made = await gate.ask('PUT', 'sys/init', { secret_shares: 1, secret_threshold: 1 })
    if (made.status !== 200) throw new Error(`init answered ${made.status}`)
    home.key = (made.body['keys'] as string[])[0]!
    home.root = made.body['root_token'] as string
  }
  const unsealed = await gate.ask('PUT', 'sys/unseal', { key: home.key })
  if (unsealed.body['sealed'] !== false) throw new Error(`unseal answered ${unsealed.status}`)
  gate.close()
  if (first) {
    const kv = { type: 'kv', options: { version: '2' } }
    const root = coffer.client(1)
    const mounted = await root.ask('POST', 'sys/mounts/secret', kv)
    if (mounted.status !== 204) throw new Error(`mount answered ${mounted.status}`)
    root.close()
  }
  return coffer
}

/** Children, their children and so on. */
export function descendants(pid: number): number[] {
  const { stdout } = spawnSync('ps', ['-A', '-o', 'pid=,ppid='], { encoding: 'utf8' })
  const childrenOf = new Map<number, number[]>()
  for (const line of stdout.split('\n')) {
    const [child, parent] = line.trim().split(/\s+/).map(Number)
    if (child && parent) childrenOf.set(parent, [...(childrenOf.get(parent) ?? []), child])
  }
  const found: number[] = []
  for (const next = [pid]; next.length > 0;) {
    const children = childrenOf.get(next.pop()!) ?? []
    found.push(...children)
    next.push(...children)
  }
  return found
}

/** Stops first: looking for its children takes a while, in which it could finish what it began. */
function killAll(pid: number): void {
  signal(pid, 'SIGSTOP')
  for (const each of [pid, ...descendants(pid)]) signal(each, 'SIGKILL')
}

function signal(pid: number, name: NodeJS.Signals): void {
  try {
    process.kill(pid, name)
  } catch {
    // It has ended by itself meanwhile.
  }
}

export function isRunning(pid: number): boolean {
  try {
    // A zombie still takes signals, but runs no more.
    return !/^State:\s+Z/m.test(readFileSync(`/proc/${pid}/status`, 'utf8'))
  } catch {
    return false
  }
}

/** Asks again every 20 ms until the answer is yes; false when that takes too long. */
export async function within(ms: number, ask: () => boolean | Promise<boolean>): Promise<boolean> {
  for (const end = performance.now() + ms; performance.now() < end; await sleep(20)) {
    if (await ask()) return true
  }
  return false
}
