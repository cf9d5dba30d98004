/**
 * The real server as a process of its own, for tests that must see what a user sees: started by
 * `bin/coffer` in a folder and with a home of its own, and gone when the test is.
 *
 *   await using server = await startServer({ kind: 'config', workers: 2, audit: true })
 *   const { status } = await http(server.address).read('secret/data/app', { token: server.rootToken })
 */
import { type ChildProcess, spawn } from 'node:child_process'
import { mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { type Socket } from 'node:net'
import { tmpdir } from 'node:os'
import { join, resolve } from 'node:path'
import { COMPILED } from './compiled.ts'
import { http } from './http-api.ts'

export { type Api, type Ask, http, type Reply } from './http-api.ts'

export type StartOptions = {
  /** `config`: a configuration file and SQLite. Default `dev`: everything in memory. */
  kind?: 'dev' | 'dev-data' | 'config'
  /** Processes behind the port; `config` only. */
  workers?: number
  /** A file audit device from the first moment; `config` only. */
  audit?: boolean
  /** More text for the configuration file. */
  hcl?: string
  /** How the root key is split; `config` only. Default 1 of 1. */
  shares?: number
  threshold?: number
  /** `false` leaves a configured server as it is born: not initialized. */
  initialize?: boolean
  flags?: readonly string[]
  env?: Readonly<Record<string, string>>
}

export type TestServer = AsyncDisposable & {
  readonly address: string
  readonly rootToken: string
  /** Base64; empty until the server is initialized. */
  readonly unsealKeys: readonly string[]
  /** Of the process that was started; with workers, their parent. Changes with every restart. */
  readonly pid: number
  /** Holds the data, the configuration and the home; removed at the end. */
  readonly dir: string
  readonly auditFile: string
  /** Everything written to stdout and stderr so far, over all starts. */
  output(): string
  /** SIGTERM, and waits for the end. Gives the exit code. */
  stop(): Promise<number | null>
  /** Waits until the process is gone, unless the signal is one that it outlives. */
  kill(signal: NodeJS.Signals): Promise<void>
  /** Starts it again on the same port, stopping it before if it runs; unseals what it can. */
  restart(options?: { unseal?: boolean }): Promise<void>
  unseal(): Promise<void>
}

const READY_MS = 20_000
const CLOSE_MS = 20_000

/** Ends what a test left behind, also when the test itself is ended. */
const live = new Set<ChildProcess>()
process.on('exit', () => {
  for (const child of live) child.kill('SIGKILL')
})
for (const signal of ['SIGTERM', 'SIGINT', 'SIGHUP'] as const) {
  process.on(signal, () => process.exit(1))
}

/** The environment of a child: nothing of ours but what it needs to run. */
export function cleanEnv(home: string, more: Readonly<Record<string, string>> = {}) {
  return {
    HOME: home,
    PATH: process.env['PATH'] ?? '',
    XDG_CACHE_HOME: COMPILED,
    NO_COLOR: '1',
    ...more,
  }
}

export async function startServer(options: StartOptions = {}): Promise<TestServer> {
  const dir = mkdtempSync(join(tmpdir(), 'coffer-test-'))
  mkdirSync(join(dir, 'home'))
  const started: Started = { dir, options, port: 0, output: '' }
  process.on('exit', () => rmSync(dir, { recursive: true, force: true }))
  try {
    await launch(started)
    if (options.kind === 'config' && options.initialize !== false) await initialize(started)
  } catch (error) {
    await end(started, 'SIGKILL')
    throw error
  }
  return testServer(started)
}

type Started = {
  readonly dir: string
  readonly options: StartOptions
  port: number
  output: string
  child?: ChildProcess
  rootToken?: string
  unsealKeys?: string[]
}

function testServer(started: Started): TestServer {
  const { dir, options } = started
  const stop = () => end(started, 'SIGTERM')
  return {
    address: addressOf(started),
    dir,
    auditFile: join(dir, 'audit.log'),
    get rootToken() {
      return started.rootToken ?? ''
    },
    get unsealKeys() {
      return started.unsealKeys ?? []
    },
    get pid() {
      return started.child?.pid ?? 0
    },
    output: () => started.output,
    stop,
    async kill(signal) {
      if (signal === 'SIGHUP' || signal === 'SIGSTOP' || signal === 'SIGCONT') {
        started.child?.kill(signal)
      } else {
        await end(started, signal)
      }
    },
    async restart({ unseal: again = true } = {}) {
      await stop()
      await launch(started)
      if (again && options.kind === 'config') await unseal(started)
    },
    unseal: () => unseal(started),
    async [Symbol.asyncDispose]() {
      await end(started, 'SIGKILL')
      rmSync(dir, { recursive: true, force: true })
    },
  }
}

const addressOf = ({ port }: Started) => `http://127.0.0.1:${port}`

function flagsOf({ dir, port, options }: Started): string[] {
  const { kind = 'dev', workers = 1, audit = false, hcl = '', flags = [] } = options
  if (kind !== 'config') {
    const data = kind === 'dev-data' ? [`-dev-data=${join(dir, 'data')}`] : []
    return ['-dev', `-dev-listen-address=127.0.0.1:${port}`, ...data, ...flags]
  }
  const file = join(dir, 'coffer.hcl')
  const device = `audit "file" "file" {\n  options { file_path = "${join(dir, 'audit.log')}" }\n}\n`
  writeFileSync(
    file,
    `storage "sqlite" { path = "${join(dir, 'data', 'coffer.db')}" }
listener "tcp" {
  address     = "127.0.0.1:${port}"
  tls_disable = true
}
workers = ${workers}
${audit ? device : ''}${hcl}
`,
    { mode: 0o600 },
  )
  return [`-config=${file}`, ...flags]
}

/** Starts the process and resolves when it answers. The first start finds the port. */
async function launch(started: Started): Promise<void> {
  const { dir, options } = started
  const from = started.output.length
  const child = spawn(
    resolve(import.meta.dirname, '../../bin/coffer'),
    ['server', ...flagsOf(started)],
    {
      cwd: dir,
      env: cleanEnv(join(dir, 'home'), options.env),
      stdio: ['ignore', 'pipe', 'pipe'],
    },
  )
  started.child = child
  live.add(child)
  child.once('exit', () => live.delete(child))
  // A server that was forgotten must not keep the test process alive.
  child.unref()
  const said = new Promise<void>((done, refuse) => {
    const fail = (why: string) =>
      refuse(new Error(`the server ${why}:\n${started.output.slice(from)}`))
    const timer = setTimeout(() => fail(`did not start in ${READY_MS} ms`), READY_MS)
    const read = (chunk: Buffer) => {
      started.output += chunk.toString()
      const port = /addr: "127\.0\.0\.1:(\d+)"/.exec(started.output.slice(from))?.[1]
      const complete =
        options.kind === 'config' || /Root Token: \S+\n/.test(started.output.slice(from))
      if (port === undefined || !complete) return
      started.port = Number(port)
      clearTimeout(timer)
      done()
    }
    for (const stream of [child.stdout, child.stderr]) {
      stream.on('data', read)
      ;(stream as Socket).unref()
    }
    child.once('error', (error) => {
      clearTimeout(timer)
      refuse(error)
    })
    child.once('close', (code, signal) => {
      clearTimeout(timer)
      fail(`ended with ${code ?? signal}`)
    })
  })
  await said
  if (options.kind !== 'config') {
    started.rootToken = /Root Token: (\S+)/.exec(started.output.slice(from))?.[1] ?? ''
    started.unsealKeys = [/Unseal Key: (\S+)/.exec(started.output.slice(from))?.[1] ?? '']
  }
  await untilAnswers(addressOf(started))
}

async function untilAnswers(address: string): Promise<void> {
  for (let tries = 0; ; tries++) {
    try {
      await http(address).read('sys/seal-status')
      return
    } catch (error) {
      if (tries >= 40) throw error
      await new Promise((done) => setTimeout(done, 50))
    }
  }
}

async function initialize(started: Started): Promise<void> {
  const { shares = 1, threshold = shares === 1 ? 1 : 2 } = started.options
  const made = await http(addressOf(started)).write('sys/init', {
    secret_shares: shares,
    secret_threshold: threshold,
  })
  if (made.status !== 200) throw new Error(`sys/init answered ${made.status}: ${made.text}`)
  started.unsealKeys = made.at('keys_base64') as string[]
  started.rootToken = String(made.at('root_token'))
  await unseal(started)
}

async function unseal(started: Started): Promise<void> {
  const api = http(addressOf(started))
  for (const key of started.unsealKeys ?? []) {
    if ((await api.read('sys/seal-status')).at('sealed') === false) return
    await api.write('sys/unseal', { key })
  }
  const status = await api.read('sys/seal-status')
  if (status.at('sealed') !== false) throw new Error(`it is still sealed: ${status.text}`)
}

async function end(started: Started, signal: NodeJS.Signals): Promise<number | null> {
  const { child } = started
  if (!child) return null
  if (child.exitCode !== null || child.signalCode !== null) return child.exitCode
  child.ref()
  return new Promise((done) => {
    // A server that does not end at SIGTERM is a finding, but no reason to leave it behind.
    const timer = setTimeout(() => child.kill('SIGKILL'), CLOSE_MS)
    child.once('exit', (code) => {
      clearTimeout(timer)
      done(code)
    })
    child.kill(signal)
  })
}

/** The lines of the audit log, parsed. */
export function auditLines({
  auditFile,
}: Pick<TestServer, 'auditFile'>): Record<string, unknown>[] {
  const lines = readFileSync(auditFile, 'utf8').trimEnd().split('\n')
  return lines.map((line) => JSON.parse(line) as Record<string, unknown>)
}
