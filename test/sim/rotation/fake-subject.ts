/** The fake target as a subject; and the control, which changes the password and then stores it. */
import { collection, defineEngine, endpoint, Failure, reply, t } from '../../../src/kit/kit.ts'
import { fakeEngine, fakeLogins } from '../../support/fake-engine.ts'
import { fakeTarget } from '../../support/fake-target.ts'
import { gated } from './gate.ts'
import { type MakeSubject, type Subject } from './subject.ts'

const DECLARE = {
  path: 'static-roles/app',
  data: { quiet: 5, undo_window: 5, max_grace: 60, reader_hold: 120, drift: 60 },
}

export const fakeSubject: MakeSubject = (clock): Subject => {
  const target = fakeTarget(clock)
  const of = (credential: Readonly<Record<string, unknown>>) =>
    credential as { username: string; password: string }
  return {
    engine: (around) => fakeEngine(target, gated(fakeLogins(target), around)),
    declare: DECLARE,
    readPath: 'static-creds/app',
    rotatePath: 'rotate-role/app',
    login: async (credential) => target.login(of(credential).username, of(credential).password),
    async strangers(known) {
      const mine = new Set(known.map((each) => `${of(each).username} ${of(each).password}`))
      return target
        .users()
        .flatMap((user) =>
          target.isLocked(user)
            ? []
            : target.passwordsOf(user).filter((password) => !mine.has(`${user} ${password}`)),
        )
    },
    async tamper(credential) {
      target.setPassword(of(credential).username, 'somebody-elses')
    },
    patienceMs: 0,
  }
}

type Stored = { username: string; password: string; generation: number }
const creds = collection<Stored>('creds/')

/**
 * What most do: one user, `ALTER`, and then the new password is stored. It goes through the same
 * gate, and the same oracle must find it out.
 */
export const alterThenStore: MakeSubject = (clock): Subject => {
  const target = fakeTarget(clock)
  const name = t.name({ help: 'The role.' })
  return {
    engine: (around) =>
      defineEngine({
        type: 'faked',
        help: 'ALTER, then store.',
        endpoints: [
          endpoint('static-roles/:name', {
            help: 'A role.',
            fields: { name },
            async write(call) {
              const { data, store, random } = call
              const password = await call.once([], async () => random(12).toString('hex'))
              await call.once(['alter'], () =>
                around('apply', async () => target.setPassword(data.name, password)),
              )
              creds.put(store, data.name, { username: data.name, password, generation: 1 })
              return undefined
            },
            example: {},
          }),
          endpoint('rotate-role/:name', {
            help: 'Rotates.',
            fields: { name },
            async write(call) {
              const { data, store, random } = call
              const before = await creds.get(store, data.name)
              const password = await call.once([], async () => random(12).toString('hex'))
              await call.once(['alter'], () =>
                around('apply', async () => target.setPassword(data.name, password)),
              )
              const generation = (before?.generation ?? 0) + 1
              creds.put(store, data.name, { username: data.name, password, generation })
              return undefined
            },
            example: {},
          }),
          endpoint('static-creds/:name', {
            help: 'What is served.',
            fields: { name },
            async read({ data, store }) {
              const found = await creds.get(store, data.name)
              if (!found) throw new Failure('not_found')
              const headers = { 'X-Coffer-Generation': String(found.generation) }
              return reply({
                data: { username: found.username, password: found.password },
                headers,
              })
            },
          }),
        ],
      }),
    declare: { path: 'static-roles/app', data: {} },
    readPath: 'static-creds/app',
    rotatePath: 'rotate-role/app',
    login: async (credential) =>
      target.login(String(credential['username']), String(credential['password'])),
    strangers: async () => [],
    patienceMs: 0,
  }
}
