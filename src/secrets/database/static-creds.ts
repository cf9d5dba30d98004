/** `static-creds/:name` and `rotate-role/:name`: the login that is served now, and another one. */
import { endpoint, Failure, refuse, reply, t } from '../../kit/kit.ts'
import { rfc3339 } from '../../lib/clock.ts'
import { nextTime } from '../../lib/cron.ts'
import { type Served, servedCreds } from './rotation/kinds.ts'
import { shownTiming, type StaticRole, staticRoles } from './static-roles.ts'

const name = t.name({ help: 'Name of the static role.' })

export const staticCredsEndpoints = [
  endpoint('static-creds/:name', {
    help: 'The user and password of a static role as they are now.',
    fields: { name },
    async read({ data, store, now }) {
      const role = await staticRoles.get(store, data.name)
      if (!role) refuse(`unknown role: ${data.name}`)
      const served = await servedCreds.get(store, data.name)
      if (!served)
        refuse('the static role has no password yet: its first rotation is still to come')
      const { username, password } = served.credential
      const shown = {
        username,
        password,
        ttl: ttlOf(role, served, now),
        ...shownTiming(role),
        last_vault_rotation: rfc3339(served.at),
      }
      const { generation } = served
      return reply({ data: shown, served: { kind: role.strategy, name: data.name, generation } })
    },
  }),
  endpoint('static-creds/:name/generation', {
    help: 'Which generation of it is served; the same number is in the header X-Coffer-Generation.',
    fields: { name },
    async read({ data, store }) {
      const served = await servedCreds.get(store, data.name)
      if (!served) throw new Failure('not_found')
      return { generation: served.generation, served_since: rfc3339(served.at) }
    },
  }),
  endpoint('rotate-role/:name', {
    help: 'Rotates the password of a static role now.',
    fields: { name },
    async write({ data, store }) {
      const role = await staticRoles.get(store, data.name)
      if (!role) refuse('no static role found for role name')
      return reply({ rotation: { act: 'rotate', kind: role.strategy, name: data.name } })
    },
    example: {},
  }),
]

/** Seconds until the next rotation; 0 when it is due. */
function ttlOf(role: StaticRole, { at }: Served, now: number): number {
  const next =
    role.rotation_period > 0
      ? at + role.rotation_period * 1000
      : (nextTime(role.rotation_schedule, at) ?? now)
  return Math.max(0, Math.ceil((next - now) / 1000))
}
