/**
 * Rotations of real PostgreSQL logins, and of the root login beside them, in a server that is
 * killed with SIGKILL, at chosen steps and at any moment: what is served afterwards logs in at once,
 * nothing is left undone, and no change was made twice.
 */
import { deepEqual, equal, ok } from 'node:assert/strict'
import { setTimeout as sleep } from 'node:timers/promises'
import { test } from 'node:test'
import { NO_POSTGRES, startPostgres } from '../support/postgres.ts'
import { startVictim, type Victim } from '../torture/rotation/coffer.ts'
import { type Fault } from '../torture/rotation/points.ts'
import { freshSeed, seeded } from '../torture/seeded.ts'

const POINTS = [
  ['store-candidate', 'kill-after'],
  ['apply', 'kill-before'],
  ['apply', 'kill-after'],
  ['store-published', 'kill-before'],
  ['softRevoke', 'kill-after'],
  ['revoke', 'kill-after'],
] as const
/** Six rotations for each: a hundred and two. */
const ROLES = Array.from({ length: 17 }, (_, n) => `r${n}`)

type Login = { username: string; password: string }
type Status = {
  state: string
  generation: number
  previous_generation: number
  candidate_generation: number
  history: { note: string; generation: number }[]
}

async function all<T>(act: (role: string) => Promise<T>): Promise<T[]> {
  const found: T[] = []
  for (const role of ROLES) found.push(await act(role))
  return found
}

async function read<T>(victim: Victim, path: string): Promise<T> {
  for (;;) {
    const answer = await victim.ask((api) => api.read(path))
    if (answer.status === 200) return answer.body['data'] as T
    await sleep(20)
  }
}

test(
  'rotations cut by kill -9: every stored password logs in',
  { skip: NO_POSTGRES },
  async (t) => {
    const seed = freshSeed()
    const random = seeded(seed)
    await using postgres = await startPostgres(['log_statement=none', 'log_connections=off'])
    await using victim = await startVictim(async () => {})
    const write = async (path: string, body: unknown = {}) => {
      const { status, text } = await victim.ask((api) => api.write(path, body))
      ok(status < 300, `${path}: ${status} ${text}`)
    }
    await write('sys/mounts/database', { type: 'database' })
    await write('database/config/db', {
      plugin_name: 'postgresql-database-plugin',
      connection_url: postgres.template,
      allowed_roles: '*',
      ...postgres.superuser,
    })
    await all(async (role) => {
      await postgres.sql(`CREATE ROLE ${role} LOGIN PASSWORD 'first-app-password'`)
      await write(`database/static-roles/${role}`, {
        db_name: 'db',
        username: role,
        rotation_period: '24h',
      })
    })
    const status = (role: string) =>
      read<Status>(victim, `sys/coffer/rotate/status/database/static-creds/${role}`)
    const served = (role: string) => read<Login>(victim, `database/static-creds/${role}`)
    const refused = async () => {
      const logins = await all(served)
      const taken = await Promise.all(
        logins.map(({ username, password }) => postgres.takes(username, password)),
      )
      return ROLES.filter((_, i) => !taken[i])
    }

    for (const [round, [point, how]] of POINTS.entries()) {
      const deaths = victim.deaths
      const fault = { target: random.pick(ROLES), point, how, size: 0, resumes: false }
      victim.arm(fault as unknown as Fault)
      // Answers are lost with the server; what has been asked for is not, once it was written down.
      const root = victim.ask((api) => api.write('database/rotate-root/db'))
      const before = new Map<string, number>()
      for (const role of ROLES) {
        const { generation } = await status(role)
        before.set(role, generation)
        while ((await status(role)).generation === generation) {
          const path = `sys/coffer/rotate/now/database/static-creds/${role}`
          const answer = await victim.ask((api) => api.write(path, { wait: 'none' }))
          if (answer.status < 300 || answer.status === 409) break
          await sleep(20)
        }
      }
      await sleep(random.below(1_500))
      victim.kill()
      await root
      deepEqual(await refused(), [], `seed ${seed}, round ${round}: refused after the restart`)
      await Promise.all(
        ROLES.map(async (role) => {
          const since = before.get(role)!
          const is = ({ state, generation, previous_generation: old }: Status) =>
            state === 'IDLE' && generation > since && old === 0
          let now = await status(role)
          while (!is(now)) {
            // The test itself has read what was served, and lets go by reading again.
            await served(role)
            await sleep(100)
            now = await status(role)
          }
          const changes = now.history.filter(
            (line) => line.note === 'served from now on' && line.generation > since,
          )
          equal(changes.length, 1, `seed ${seed}: ${role}, ${JSON.stringify(now.history)}`)
        }),
      )
      deepEqual(await refused(), [], `seed ${seed}, round ${round}: refused at the end`)
      ok(victim.deaths >= deaths + 1)
    }
    const left = await postgres.sql(
      `SELECT count(*)::int AS logins FROM pg_authid WHERE rolname ~ '^r[0-9]' AND rolcanlogin`,
    )
    equal(left[0]!['logins'], ROLES.length, 'one login for each, and none forgotten')
    t.diagnostic(`${POINTS.length * ROLES.length} rotations, ${victim.deaths} kills, seed ${seed}`)
  },
)
