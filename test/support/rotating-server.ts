/** A real server that rotates a login of a real PostgreSQL, and short ways to ask what tests ask. */
import { type Postgres } from './postgres.ts'
import {
  type Api,
  http,
  type Reply,
  startServer,
  type StartOptions,
  type TestServer,
} from './server.ts'

export type Login = { username: string; password: string }

export type RotationStatus = {
  state: string
  phase: string
  generation: number
  previous_generation: number
  hold_reason: string
  drift: string
  holders: {
    kind: string
    name: string
    app: string
    instance: string
    state: string
    blocks: boolean
  }[]
  history: { at: string; state: string; generation: number; note: string }[]
}

export type RotatingServer = AsyncDisposable & {
  readonly server: TestServer
  /** As root. */
  readonly api: Api
  /** Throws what was answered, when that is no success. */
  done(path: string, body?: unknown): Promise<Reply>
  rotate(): Promise<Reply>
  /** As a plain reader with that token. */
  served(token: string): Promise<Login & { generation: number }>
  status(): Promise<RotationStatus>
  /** Asks for the status until it is so. */
  until(is: (now: RotationStatus) => boolean): Promise<RotationStatus>
  /** May read the credential, and nothing else besides what everybody may. */
  appToken(): Promise<string>
}

export const PATH = 'database/static-creds/app'
export const REF = `vault://${PATH}`

export async function rotatingServer(
  postgres: Postgres,
  role: Record<string, unknown> = {},
  options: StartOptions = {},
): Promise<RotatingServer> {
  await postgres.sql("CREATE ROLE app LOGIN PASSWORD 'first-app-password'")
  const server = await startServer({ kind: 'config', ...options })
  const api = http(server.address, { token: server.rootToken })
  const done: RotatingServer['done'] = async (path, body = {}) => {
    const answer = await api.write(path, body)
    if (answer.status >= 300) throw new Error(`${path}: ${answer.status} ${answer.text}`)
    return answer
  }
  await done('sys/mounts/database', { type: 'database' })
  await done('sys/policies/acl/app', { policy: `path "${PATH}*" { capabilities = ["read"] }` })
  await done('database/config/db', {
    plugin_name: 'postgresql-database-plugin',
    connection_url: postgres.template,
    allowed_roles: '*',
    ...postgres.superuser,
  })
  await done('database/static-roles/app', {
    db_name: 'db',
    username: 'app',
    rotation_period: '24h',
    quiet: 1,
    undo_window: 1,
    ...role,
  })
  const status = async () => {
    const { body } = await api.read(`sys/coffer/rotate/status/${PATH}`)
    return body['data'] as RotationStatus
  }
  return {
    server,
    api,
    done,
    rotate: () => api.write('database/rotate-role/app'),
    async served(token) {
      const { body, headers } = await api.read(PATH, { token })
      const { username, password } = body['data'] as Login
      return { username, password, generation: Number(headers.get('x-coffer-generation')) }
    },
    status,
    async until(is) {
      for (let tries = 0; ; tries++) {
        const now = await status()
        if (is(now)) return now
        if (tries === 1_200) throw new Error(`it has not come about: ${JSON.stringify(now)}`)
        await new Promise((later) => setTimeout(later, 25))
      }
    },
    async appToken() {
      const made = await done('auth/token/create', { policies: ['app'] })
      return String(made.at('auth.client_token'))
    },
    [Symbol.asyncDispose]: () => server[Symbol.asyncDispose](),
  }
}
