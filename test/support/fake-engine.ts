/**
 * An engine over the fake target with one kind of rotation: two logins that take turns, as on
 * PostgreSQL. It declares, rotates and retires as the database engine does.
 */
import { type Engine } from '../../src/kit/engine.ts'
import { collection, defineEngine, endpoint, Failure, reply, t } from '../../src/kit/kit.ts'
import {
  type Credential,
  type Generation,
  type Probe,
  type RotationKind,
} from '../../src/kit/rotation.ts'
import { type FakeTarget, Unreachable } from './fake-target.ts'

type Role = { name: string }
type Login = { username: string; password: string }
const roles = collection<Role>('role/')
const creds = collection<{ generation: number; credential: Login }>('creds/')

const name = t.name({ help: 'Name of the role.' })
const loginOf = (credential: Credential) => credential as Login

async function asked(work: () => Promise<boolean>): Promise<Probe> {
  try {
    return (await work()) ? { outcome: 'works' } : { outcome: 'refused', why: 'login refused' }
  } catch (error) {
    return { outcome: 'unreachable', why: error instanceof Unreachable ? error.message : 'trouble' }
  }
}

export function fakeLogins(target: FakeTarget): RotationKind {
  const login = (statement: string, credential: Credential) => {
    const { username, password } = loginOf(credential)
    return asked(() => target.run(statement, () => target.login(username, password)))
  }
  const scramble = (statement: string, { username }: Login) =>
    target.run(statement, () => {
      target.setPassword(username, `revoked-${username}-${Math.random()}`)
      target.lock(username, true)
    })
  return {
    servedAt: (role) => `static-creds/${role}`,
    async sketch(job) {
      return {
        target: 'fake target',
        strategy: 'ab',
        steps: [`set a new password for the free one of ${job.name}_a and ${job.name}_b`],
        gap: false,
        seesSessions: true,
      }
    },
    async plan(job, { current }) {
      const used = current && loginOf(current.credential).username
      const username = used === `${job.name}_a` ? `${job.name}_b` : `${job.name}_a`
      return { username, password: `pw-${job.random(12).toString('hex')}` }
    },
    apply: (_job, candidate) =>
      target.run('apply', () => {
        const { username, password } = loginOf(candidate)
        target.setPassword(username, password)
        target.lock(username, false)
      }),
    probe: (_job, credential) => login('probe', credential),
    verify: (_job, candidate) => login('verify', candidate),
    publish(store, role, { number, credential }: Generation) {
      creds.put(store, role, { generation: number, credential: loginOf(credential) })
    },
    sessions: (_job, credential) =>
      target.run('sessions', () => target.sessions(loginOf(credential).username)),
    softRevoke: (_job, old) => target.run('lock', () => target.lock(loginOf(old).username, true)),
    undoSoftRevoke: (_job, old) =>
      target.run('unlock', () => target.lock(loginOf(old).username, false)),
    refusedSince: (_job, old, since) =>
      target.run('refused', () => {
        const times = target.refusals(loginOf(old).username)
        return times.filter((at) => at > since).length
      }),
    revoke: (_job, old) => scramble('revoke', loginOf(old)),
    terminate: (_job, old) =>
      target.run('terminate', () => {
        const open = target.sessions(loginOf(old).username)
        for (const { id } of open) target.disconnect(id)
        return open.length
      }),
    discard: (_job, candidate) => scramble('discard', loginOf(candidate)),
    reapply: (_job, current) =>
      target.run('reapply', () => {
        const { username, password } = loginOf(current)
        target.setPassword(username, password)
        target.lock(username, false)
      }),
    retire: (job) =>
      target.run('retire', () => {
        target.drop(`${job.name}_a`)
        target.drop(`${job.name}_b`)
      }),
  }
}

export function fakeEngine(target: FakeTarget, kind = fakeLogins(target)): Engine {
  return defineEngine({
    type: 'faked',
    help: 'Credentials of a fake target.',
    endpoints: [
      endpoint('static-roles/:name', {
        help: 'A role.',
        fields: {
          name,
          rotation_period: t.duration({ help: 'How often.' }),
          rotation_schedule: t.string({ help: 'Or when.' }),
          rotation_window: t.duration({ help: 'And how long after.' }),
          max_grace: t.duration({ help: 'When laggards are told of.' }),
          quiet: t.duration({ help: 'How long nobody must be found.' }),
          undo_window: t.duration({ help: 'How long it can be undone.' }),
          reader_hold: t.duration({ help: 'How long readers count.' }),
          drift: t.duration({ help: 'How often it is tried.' }),
          skip_rotation: t.bool({ help: 'Not now.', default: false }),
          username: t.string({ help: 'One that works already.' }),
          password: t.string({ help: 'Its password.', sensitive: true }),
        },
        write({ data, store }) {
          roles.put(store, data.name, { name: data.name })
          const { username, password } = data
          const seconds = {
            maxGraceSeconds: data.max_grace,
            quietSeconds: data.quiet,
            undoWindowSeconds: data.undo_window,
            readerHoldSeconds: data.reader_hold,
            driftSeconds: data.drift,
          }
          const timing = {
            periodSeconds: data.rotation_period,
            schedule: data.rotation_schedule,
            windowSeconds: data.rotation_window,
          }
          return reply({
            rotation: {
              act: 'declare',
              kind: 'login',
              name: data.name,
              settings: {},
              timing: withoutUndefined(timing),
              rules: withoutUndefined(seconds),
              rotate: !data.skip_rotation,
              ...(username && password && { imported: { username, password } }),
            },
          })
        },
        delete({ data, store }) {
          roles.remove(store, data.name)
          creds.remove(store, data.name)
          return reply({ rotation: { act: 'retire', kind: 'login', name: data.name } })
        },
        example: { rotation_period: '1h' },
      }),
      endpoint('rotate-role/:name', {
        help: 'Rotates now.',
        fields: { name },
        write: ({ data }) => reply({ rotation: { act: 'rotate', kind: 'login', name: data.name } }),
        example: {},
      }),
      endpoint('static-creds/:name', {
        help: 'What is served.',
        fields: { name },
        async read({ data, store }) {
          const found = await creds.get(store, data.name)
          if (!found) throw new Failure('not_found')
          return reply({
            data: { ...found.credential },
            served: { kind: 'login', name: data.name, generation: found.generation },
          })
        },
      }),
    ],
    rotations: { login: kind },
  })
}

/** What is left open has no place in an object of optional keys. */
function withoutUndefined<T extends Record<string, unknown>>(given: T) {
  return Object.fromEntries(Object.entries(given).filter(([, value]) => value !== undefined)) as {
    [K in keyof T]?: NonNullable<T[K]>
  }
}
