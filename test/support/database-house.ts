/** A core with the database engine at `database/`, on a real server, and short ways to ask. */
import { idOf } from '../../src/core/rotation/record.ts'
import { type Verb } from '../../src/kit/engine.ts'
import { type CoreOptions } from '../../src/core/core.ts'
import { testCore, type AskOptions, type TestCore } from './test-core.ts'

export type Login = { username: string; password: string }

export type DatabaseHouse = TestCore & {
  /** Throws what was answered, when that is no success. */
  done: (
    verb: Verb,
    path: string,
    data?: Record<string, unknown>,
    options?: AskOptions,
  ) => Promise<Record<string, unknown>>
  /** The errors of an answer that is none. */
  refusal: (verb: Verb, path: string, data?: Record<string, unknown>) => Promise<string>
  served: (name: string) => Promise<Login>
  /** All that is due, again and again while time passes second by second. */
  pass: (seconds: number) => Promise<void>
  state: (name: string) => Promise<string>
  mount: string
}

export async function databaseHouse(
  config: Record<string, unknown>,
  options: Partial<CoreOptions> = {},
): Promise<DatabaseHouse> {
  const made = await testCore(options)
  const { core, ask, clock } = made
  core.expiry.stop()
  core.rotation.stop()
  // A server judges VALID UNTIL, ages and its log by its own clock.
  clock.advance(Date.now() - clock.now())
  const done: DatabaseHouse['done'] = async (verb, path, data, asked) => {
    const { status, body, text } = await ask(verb, path, data, asked)
    if (status >= 300) throw new Error(`${verb} ${path}: ${status} ${text}`)
    return body?.data ?? body ?? {}
  }
  await done('write', 'sys/mounts/database', { type: 'database' })
  await done('write', 'database/config/db', { allowed_roles: '*', ...config })
  const mounts = (await done('read', 'sys/mounts')) as Record<string, { uuid: string }>
  const mount = mounts['database/']!.uuid
  return {
    ...made,
    done,
    mount,
    async refusal(verb, path, data) {
      const { status, body, text } = await ask(verb, path, data)
      if (status < 300) throw new Error(`${verb} ${path} was not refused: ${text}`)
      return `${status} ${(body?.errors ?? []).join('; ')}`
    },
    served: async (name) => {
      const { username, password } = await done('read', `database/static-creds/${name}`)
      return { username, password } as Login
    },
    async pass(seconds) {
      for (let i = 0; i < seconds; i++) {
        clock.advance(1_000)
        await core.rotation.pass()
      }
    },
    async state(name) {
      const found = await core.rotation.ask.entry(undefined, idOf(mount, `static-creds/${name}`))
      return found?.state ?? 'none'
    },
  }
}
