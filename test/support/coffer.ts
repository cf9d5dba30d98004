/** `bin/coffer` as a process with a home of its own, against a given server. */
import { type ChildProcess, spawn } from 'node:child_process'
import { join, resolve } from 'node:path'
import { cleanEnv, type TestServer } from './server.ts'

export const COFFER = resolve(import.meta.dirname, '../../bin/coffer')

export type Ended = { code: number | null; out: string; err: string }
export type Running = {
  readonly child: ChildProcess
  readonly ended: Promise<Ended>
  /** What was printed so far, both streams as they came. */
  said(): string
  /** Waits for a text in what is printed; rejects when the process ends without it. */
  until(text: string | RegExp): Promise<void>
}
export type CofferOptions = {
  env?: Readonly<Record<string, string>>
  cwd?: string
  stdin?: string
  /** Standard input stays open, for a test to type into. */
  interactive?: boolean
  /** Another program than `coffer` itself. */
  file?: string
}

const live = new Set<ChildProcess>()
process.on('exit', () => {
  for (const child of live) child.kill('SIGKILL')
})

/** Starts `coffer` with the server's address and root token in the environment. */
export function startCoffer(
  server: Pick<TestServer, 'address' | 'rootToken' | 'dir'>,
  args: readonly string[],
  { env = {}, cwd = server.dir, stdin, interactive = false, file = COFFER }: CofferOptions = {},
): Running {
  const own = { VAULT_ADDR: server.address, VAULT_TOKEN: server.rootToken, ...env }
  const child = spawn(file, args, {
    cwd,
    env: cleanEnv(join(server.dir, 'home'), own),
    stdio: [stdin === undefined && !interactive ? 'ignore' : 'pipe', 'pipe', 'pipe'],
  })
  live.add(child)
  const ended: Ended = { code: null, out: '', err: '' }
  let all = ''
  let look = () => {}
  const read = (into: 'out' | 'err') => (chunk: Buffer) => {
    ended[into] += chunk.toString()
    all += chunk.toString()
    look()
  }
  child.stdout!.on('data', read('out'))
  child.stderr!.on('data', read('err'))
  if (stdin !== undefined) child.stdin?.end(stdin)
  const over = new Promise<Ended>((done, fail) => {
    child.once('error', fail)
    child.once('close', (code) => {
      live.delete(child)
      done(Object.assign(ended, { code }))
    })
  })
  return {
    child,
    ended: over,
    said: () => all,
    until(text) {
      return new Promise((done, fail) => {
        look = () => {
          if (typeof text === 'string' ? all.includes(text) : text.test(all)) done()
        }
        look()
        void over.then(() => fail(new Error(`ended without ${String(text)}:\n${all}`)))
      })
    },
  }
}

/** Runs it to its end. */
export function coffer(
  server: Pick<TestServer, 'address' | 'rootToken' | 'dir'>,
  args: readonly string[],
  options: CofferOptions = {},
): Promise<Ended> {
  return startCoffer(server, args, options).ended
}
