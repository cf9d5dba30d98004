/**
 * A fake of the server, for tests of what the CLI sends and prints: it answers what the test says
 * and remembers what it was asked. It knows nothing of Vault; the scripts run against the real one.
 */
import { createServer, type IncomingHttpHeaders } from 'node:http'
import { type AddressInfo } from 'node:net'
import { Readable } from 'node:stream'
import { type Io } from '../../src/cli/io.ts'
import { runProgram } from '../../src/cli/program.ts'

export type Asked = {
  readonly method: string
  /** With the query, without `/v1/`. */
  readonly path: string
  readonly headers: IncomingHttpHeaders
  readonly body: string
}
export type Answer = {
  readonly status?: number
  readonly body?: unknown
  readonly headers?: Record<string, string>
}
/** By `METHOD path`; `*` answers everything else. */
export type Answers = Readonly<
  Record<string, Answer | readonly Answer[] | ((asked: Asked) => Answer)>
>

export type FakeVault = AsyncDisposable & { readonly address: string; readonly asked: Asked[] }

export async function fakeVault(answers: Answers): Promise<FakeVault> {
  const asked: Asked[] = []
  const turns = new Map<string, number>()
  const server = createServer((request, response) => {
    const chunks: Buffer[] = []
    request.on('data', (chunk: Buffer) => chunks.push(chunk))
    request.on('end', () => {
      const { method = '', url = '', headers } = request
      const one = {
        method,
        path: url.replace(/^\/v1\//, ''),
        headers,
        body: Buffer.concat(chunks).toString(),
      }
      asked.push(one)
      const key = `${method} ${one.path}`
      const found = answers[key] ?? answers['*'] ?? { status: 404, body: { errors: [] } }
      const turn = turns.get(key) ?? 0
      turns.set(key, turn + 1)
      const answer =
        typeof found === 'function'
          ? found(one)
          : Array.isArray(found)
            ? (found[Math.min(turn, found.length - 1)] as Answer)
            : (found as Answer)
      const { status = answer.body === undefined ? 204 : 200, body, headers: extra = {} } = answer
      response.writeHead(status, { 'content-type': 'application/json', ...extra })
      response.end(body === undefined ? '' : typeof body === 'string' ? body : JSON.stringify(body))
    })
  })
  await new Promise<void>((done) => server.listen(0, '127.0.0.1', done))
  const { port } = server.address() as AddressInfo
  return {
    address: `http://127.0.0.1:${port}`,
    asked,
    async [Symbol.asyncDispose]() {
      server.closeAllConnections()
      await new Promise((done) => server.close(done))
    },
  }
}

export type Ran = { readonly code: number; readonly out: string; readonly err: string }
type RunOptions = {
  readonly env?: Record<string, string>
  readonly stdin?: string
  readonly home?: string
  readonly program?: string
}

/** Runs one command line in this process, with streams of its own. */
export async function runCli(argv: readonly string[], options: RunOptions = {}): Promise<Ran> {
  let [out, err] = ['', '']
  const io: Io = {
    env: { NO_COLOR: '1', ...options.env },
    stdin: Readable.from([options.stdin ?? '']),
    stdout: { write: (text) => (out += text) },
    stderr: { write: (text) => (err += text) },
    home: options.home ?? '/nonexistent',
  }
  const code = await runProgram(options.program ?? 'coffer', argv, io)
  return { code, out, err }
}

/** Runs a command line against the fake, with a token. */
export function runAgainst(
  vault: FakeVault,
  argv: readonly string[],
  options: RunOptions = {},
): Promise<Ran> {
  const env = { VAULT_ADDR: vault.address, VAULT_TOKEN: 'hvs.fake', ...options.env }
  return runCli(argv, { ...options, env })
}

/** An envelope around data. */
export function envelopeOf(data: unknown, more: Record<string, unknown> = {}): Answer {
  const empty = { request_id: 'r1', lease_id: '', renewable: false, lease_duration: 0 }
  return { body: { ...empty, data, wrap_info: null, warnings: null, auth: null, ...more } }
}
