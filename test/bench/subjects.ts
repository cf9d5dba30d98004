/** The servers that are measured, and the asks they are measured with. */
import { type ChildProcess, spawn } from 'node:child_process'
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { createInterface } from 'node:readline'
import { type Ask, type Target } from './load.ts'

export type Subject = { target: Target; pid: number | undefined; stop(): Promise<void> }
export type Prepared = {
  subject: Subject
  read: Ask
  login: Ask
  write: (n: number) => Ask
  list: Ask
}

async function firstLine(child: ChildProcess, pattern: RegExp): Promise<string> {
  for await (const line of createInterface({ input: child.stdout! })) {
    const found = pattern.exec(line)
    if (found) return found[1]!
  }
  throw new Error('the server ended before it was ready')
}

function subject(child: ChildProcess, port: number, after: () => void = () => {}): Subject {
  return {
    target: { host: '127.0.0.1', port },
    pid: child.pid,
    stop: () =>
      new Promise((done) => {
        child.once('exit', () => {
          after()
          done()
        })
        child.kill('SIGTERM')
      }),
  }
}

export async function bareSubject(): Promise<Subject> {
  const child = spawn(process.execPath, ['--no-warnings', 'test/bench/bare.ts'], {
    stdio: ['ignore', 'pipe', 'inherit'],
  })
  return subject(child, Number(await firstLine(child, /^(\d+)$/)))
}

/** coffer as it runs in production: SQLite on disk, the file audit on. */
export async function cofferSubject(workers: number): Promise<Prepared> {
  const dir = mkdtempSync(join(tmpdir(), 'coffer-bench-'))
  const config = join(dir, 'coffer.hcl')
  const audit = join(dir, 'audit.log')
  writeFileSync(
    config,
    `storage "sqlite" { path = "${join(dir, 'data', 'coffer.db')}" }
listener "tcp" { 
  address = "127.0.0.1:0"
  tls_disable = true
}
audit "file" "file" {
  options { file_path = "${audit}" }
}
log_level = "error"
workers = ${workers}
`,
  )
  const child = spawn('bin/coffer', ['server', `-config=${config}`], {
    stdio: ['ignore', 'pipe', 'inherit'],
  })
  const port = Number(await firstLine(child, /addr: "127\.0\.0\.1:(\d+)"/))
  const made = subject(child, port, () => rmSync(dir, { recursive: true, force: true }))
  const init = await call(made.target, 'PUT', 'sys/init', { secret_shares: 1, secret_threshold: 1 })
  await call(made.target, 'PUT', 'sys/unseal', { key: (init['keys'] as string[])[0] })
  return prepare(made, String(init['root_token']))
}

/** Any other server that speaks Vault's API. Its data is left as it was, but for one mount. */
export async function peerSubject(address: string, token: string): Promise<Prepared> {
  const { hostname, port } = new URL(address)
  const made = {
    target: { host: hostname, port: Number(port) },
    pid: undefined,
    stop: async () => {},
  }
  return prepare(made, token)
}

async function call(
  { host, port }: Target,
  method: string,
  path: string,
  body?: object,
  token?: string,
): Promise<Record<string, unknown>> {
  const response = await fetch(`http://${host}:${port}/v1/${path}`, {
    method,
    headers: token ? { 'X-Vault-Token': token } : {},
    ...(body && { body: JSON.stringify(body) }),
  })
  const text = await response.text()
  if (!response.ok) throw new Error(`${method} ${path}: ${response.status} ${text}`)
  return text === '' ? {} : (JSON.parse(text) as Record<string, unknown>)
}

const SECRET = { data: { username: 'app', password: 'correct horse battery staple' } }
const POLICY = `
path "bench/data/*" { capabilities = ["create", "read", "update"] }
path "bench/metadata/*" { capabilities = ["list", "read"] }`

async function prepare(made: Subject, root: string): Promise<Prepared> {
  const { target } = made
  const run = (method: string, path: string, body?: object) =>
    call(target, method, path, body, root)
  await run('DELETE', 'sys/mounts/bench').catch(() => {})
  await run('DELETE', 'sys/auth/bench').catch(() => {})
  await run('POST', 'sys/mounts/bench', { type: 'kv', options: { version: '2' } })
  await run('POST', 'sys/auth/bench', { type: 'approle' })
  await run('POST', 'sys/policies/acl/bench', { policy: POLICY })
  await run('POST', 'auth/bench/role/app', { token_policies: 'bench', token_ttl: '1h' })
  const { data: id } = await run('GET', 'auth/bench/role/app/role-id')
  const { data: secret } = await run('POST', 'auth/bench/role/app/secret-id')
  for (let i = 0; i < 50; i++) await run('POST', `bench/data/app/${i}`, SECRET)
  const login = JSON.stringify({
    role_id: (id as Record<string, unknown>)['role_id'],
    secret_id: (secret as Record<string, unknown>)['secret_id'],
  })
  const { auth } = await call(target, 'POST', 'auth/bench/login', JSON.parse(login) as object)
  const token = String((auth as Record<string, unknown>)['client_token'])
  const body = JSON.stringify(SECRET)
  return {
    subject: made,
    read: { method: 'GET', path: '/v1/bench/data/app/7', token },
    login: { method: 'POST', path: '/v1/auth/bench/login', body: login },
    write: (n) => ({ method: 'POST', path: `/v1/bench/data/w/${n % 500}`, token, body }),
    list: { method: 'GET', path: '/v1/bench/metadata/app?list=true', token },
  }
}
