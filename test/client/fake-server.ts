/**
 * A fake of the Vault API over a real socket, for the client's tests only: a few paths, no policies,
 * no encryption, and any answer or cut a test asks for. It proves nothing about the real server.
 */
import { createServer, type IncomingMessage, type ServerResponse } from 'node:http'
import { type AddressInfo } from 'node:net'

export type Seen = {
  method: string
  path: string
  query: URLSearchParams
  token: string | undefined
  headers: IncomingMessage['headers']
  text: string
}
export type FakeAnswer =
  | {
      status: number
      /** An object is sent as JSON, a text as it is; undefined sends nothing. */
      body?: unknown
      headers?: Record<string, string>
    }
  | 'cut'
  | 'hang'
type Handler = (seen: Seen) => FakeAnswer | undefined
type Version = { text: string; created: string; deleted: boolean }

export const denied: FakeAnswer = {
  status: 403,
  body: { errors: ['1 error occurred:\n\t* permission denied\n\n'] },
}
export const badToken: FakeAnswer = {
  status: 403,
  body: { errors: ['2 errors occurred:\n\t* permission denied\n\t* invalid token\n\n'] },
}
export const sealed: FakeAnswer = { status: 503, body: { errors: ['Vault is sealed'] } }
const missing: FakeAnswer = { status: 404, body: { errors: [] } }

export class FakeServer implements AsyncDisposable {
  readonly seen: Seen[] = []
  readonly tokens = new Map<string, { ttl: number; renewable: boolean }>()
  readonly versions = new Map<string, Version[]>()
  readonly plain = new Map<string, string>()
  /** What the next login or renewal gives. */
  grant = { ttl: 3600, renewable: true }
  secretId = 'fake-secret-id'
  logins = 0
  sockets = 0
  #overrides: Handler[] = []
  #raw: (seen: Seen, answer: ServerResponse) => boolean = () => false
  readonly #server = createServer((request, answer) => void this.#serve(request, answer))

  /** `secret/` is KV version 2, `old/` version 1, `team/kv/` version 2 again. */
  static async start(port = 0): Promise<FakeServer> {
    const fake = new FakeServer()
    fake.tokens.set('fake-root', { ttl: 0, renewable: false })
    fake.#server.on('connection', () => fake.sockets++)
    await new Promise<void>((done) => fake.#server.listen(port, '127.0.0.1', done))
    return fake
  }

  get address(): string {
    return `http://127.0.0.1:${(this.#server.address() as AddressInfo).port}`
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#server.closeAllConnections()
    await new Promise((done) => this.#server.close(done))
  }

  /** Answers in place of the fake for as long as the handler gives an answer. Last one first. */
  on(handler: Handler): void {
    this.#overrides.unshift(handler)
  }

  /** Writes answers that are none of the usual; true = it does this one. */
  onRaw(write: (seen: Seen, answer: ServerResponse) => boolean): void {
    this.#raw = write
  }

  /** Answers the next requests for a path with these, one each. */
  next(path: string, ...answers: FakeAnswer[]): void {
    this.on((seen) => (seen.path === path ? answers.shift() : undefined))
  }

  count(path: string, method?: string): number {
    return this.seen.filter((s) => s.path === path && (method ?? s.method) === s.method).length
  }

  /** Stores a version under a full path of version 2, given as JSON text or as data. */
  put(path: string, data: unknown): void {
    const text = typeof data === 'string' ? data : JSON.stringify(data)
    const versions = this.versions.get(path) ?? []
    const created = new Date(1_700_000_000_000 + versions.length * 1000).toISOString()
    versions.push({ text, created, deleted: false })
    this.versions.set(path, versions)
  }

  async #serve(request: IncomingMessage, answer: ServerResponse): Promise<void> {
    const chunks: Buffer[] = []
    for await (const chunk of request) chunks.push(chunk as Buffer)
    const url = new URL(request.url ?? '/', 'http://fake')
    const seen: Seen = {
      method: request.method ?? '',
      path: decodeURIComponent(url.pathname.replace('/v1/', '')),
      query: url.searchParams,
      token: request.headers['x-vault-token'] as string | undefined,
      headers: request.headers,
      text: Buffer.concat(chunks).toString(),
    }
    this.seen.push(seen)
    if (this.#raw(seen, answer)) return
    let made: FakeAnswer | undefined
    for (const handler of this.#overrides) made ??= handler(seen)
    made ??= this.#answer(seen)
    if (made === 'hang') return
    if (made === 'cut') return void request.socket.destroy()
    const text = typeof made.body === 'string' ? made.body : JSON.stringify(made.body)
    answer.writeHead(made.status, { 'content-type': 'application/json', ...made.headers })
    answer.end(made.body === undefined ? undefined : text)
  }

  #answer(seen: Seen): FakeAnswer {
    const { path, method } = seen
    const login = /^auth\/[^/]+\/login/.test(path)
    if (login || path === 'sys/wrapping/lookup') return login ? this.#login(seen) : missing
    if (seen.token === undefined || !this.tokens.has(seen.token)) return badToken
    if (path.startsWith('auth/token/')) return this.#self(seen, seen.token)
    if (path.startsWith('sys/internal/ui/mounts/')) return preflight(path.slice(23))
    const [, mount = '', part = '', rest = ''] =
      /^(secret|team\/kv)\/([a-z]+)\/?(.*)$/.exec(path) ?? []
    if (mount !== '') return this.#versioned(seen, part, `${mount}/${rest}`)
    if (!`${path}/`.startsWith('old/')) return missing
    if (seen.query.has('list')) return listOf(this.plain.keys(), path)
    if (method === 'POST') this.plain.set(path, seen.text)
    const text = this.plain.get(path)
    if (method !== 'GET') return { status: 204 }
    return text === undefined ? missing : envelope(text)
  }

  #login({ path, text }: Seen): FakeAnswer {
    const body = JSON.parse(text) as Record<string, unknown>
    const right = path.includes('userpass') ? 'fake-password' : this.secretId
    if ((body['secret_id'] ?? body['password']) !== right) {
      return { status: 400, body: { errors: ['invalid role or secret ID'] } }
    }
    const token = `fake-token-${++this.logins}`
    this.tokens.set(token, { ...this.grant })
    return this.#auth(token)
  }

  #auth(token: string): FakeAnswer {
    const { ttl, renewable } = this.grant
    const auth = { client_token: token, lease_duration: ttl, renewable, policies: ['app'] }
    return { status: 200, body: { request_id: 'fake', data: null, auth } }
  }

  #self({ path }: Seen, token: string): FakeAnswer {
    if (path === 'auth/token/renew-self') return this.#auth(token)
    if (path === 'auth/token/lookup-self') return envelope(JSON.stringify(this.tokens.get(token)))
    this.tokens.delete(token)
    return { status: 204 }
  }

  #versioned(seen: Seen, part: string, path: string): FakeAnswer {
    const versions = this.versions.get(path) ?? []
    if (seen.query.has('list')) return listOf(this.versions.keys(), path)
    if (part === 'data' && seen.method !== 'GET') return this.#writeVersion(seen, path)
    if (versions.length === 0) return missing
    if (part === 'metadata') return metadataOf(versions)
    const number = Number(seen.query.get('version') ?? versions.length)
    const version = versions[number - 1]
    if (version === undefined) return missing
    const about = { version: number, created_time: version.created, destroyed: false }
    const data = version.deleted ? 'null' : version.text
    const made = envelope(`{"data":${data},"metadata":${JSON.stringify(about)}}`)
    return { ...made, status: version.deleted ? 404 : 200 }
  }

  #writeVersion({ method, text }: Seen, path: string): FakeAnswer {
    const versions = this.versions.get(path) ?? []
    if (method === 'DELETE') {
      versions.at(-1)!.deleted = true
      return { status: 204 }
    }
    const { options } = JSON.parse(text) as { options?: { cas?: number } }
    if (options?.cas !== undefined && options.cas !== versions.length) {
      const said = 'check-and-set parameter did not match the current version'
      return { status: 400, body: { errors: [said] } }
    }
    // The text of `data` as it was sent, so that numbers stay what they are.
    this.put(path, text.slice(8, text.endsWith('}}}') ? text.indexOf(',"options"') : -1))
    const { created } = this.versions.get(path)!.at(-1)!
    const version = this.versions.get(path)!.length
    return envelope(JSON.stringify({ version, created_time: created }))
  }
}

function envelope(data: string): Exclude<FakeAnswer, string> {
  return { status: 200, body: `{"request_id":"fake","lease_id":"","data":${data},"auth":null}` }
}

function listOf(paths: Iterable<string>, folder: string): FakeAnswer {
  const start = `${folder.replace(/\/$/, '')}/`
  const below = [...paths].filter((path) => path.startsWith(start))
  const keys = [...new Set(below.map((path) => path.slice(start.length).replace(/\/.*/, '/')))]
  return keys.length === 0 ? missing : envelope(JSON.stringify({ keys: keys.sort() }))
}

function metadataOf(versions: readonly Version[]): FakeAnswer {
  const entries = versions.map(({ created, deleted }, index) => [
    index + 1,
    { created_time: created, deletion_time: deleted ? created : '', destroyed: false },
  ])
  return envelope(
    JSON.stringify({
      current_version: versions.length,
      oldest_version: 1,
      max_versions: 0,
      custom_metadata: { owner: 'fake' },
      versions: Object.fromEntries(entries) as unknown,
    }),
  )
}

function preflight(path: string): FakeAnswer {
  const mount = ['secret', 'old', 'team/kv'].find((m) => `${path}/`.startsWith(`${m}/`))
  if (mount === undefined) {
    return { status: 403, body: { errors: ['preflight capability check returned 403, no'] } }
  }
  const options = { version: mount === 'old' ? '1' : '2' }
  return envelope(JSON.stringify({ path: `${mount}/`, type: 'kv', options }))
}
