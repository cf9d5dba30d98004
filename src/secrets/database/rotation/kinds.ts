/**
 * The rotations of static roles, as core runs them: one kind for each strategy. A step opens the
 * target by the configuration as it is then, and leaves the work to a rotor.
 *
 *   static-cred/<name>    what is served: generation, login, since when
 */
import { collection, type EntryStore, Failure } from '../../../kit/kit.ts'
import {
  type Credential,
  type Generation,
  type Probe,
  type RotationJob,
  type RotationKind,
  type Standing,
} from '../../../kit/rotation.ts'
import { connectionNamed, withTarget } from '../connection.ts'
import { type CredentialConfig, newCredential } from '../credential.ts'
import { type Opened } from '../plugins.ts'
import { addressOf, type Login } from '../target.ts'
import { rotorFor, type Strategy } from './choose.ts'
import { type Held, type Rotor } from './rotor.ts'

/** What a static role declares its rotation with. */
export type Settings = {
  db_name: string
  username: string
  accept_gap: boolean
  statements: string[]
  credential_config: CredentialConfig
  /** `host:port` of those that must take a login before it is served. */
  endpoints: string[]
}

export type Served = { generation: number; credential: Login; at: number }
export const servedCreds = collection<Served>('static-cred/')

const loginOf = (credential: Credential): Login => credential as unknown as Login
const heldOf = ({ current, previous }: Standing): Held => ({
  current: current && loginOf(current.credential),
  previous: previous && loginOf(previous.credential),
})

type Step = { rotor: Rotor; opened: Opened; settings: Settings }

export function staticKind(strategy: Strategy): RotationKind {
  async function on<T>(job: RotationJob, work: (step: Step) => Promise<T>): Promise<T> {
    const settings = job.settings as Settings
    const { db_name: name, username, statements } = settings
    const connection = await connectionNamed(job.store, name)
    return withTarget({ mount: job.mount, name }, connection, async (opened) => {
      const rotor = await rotorFor(opened, { strategy, username, statements, now: job.now })
      return work({ rotor, opened, settings })
    })
  }

  /** From when the login that follows this one was served; undefined while it is itself. */
  async function servedSince({ store, name }: RotationJob, login: Login) {
    const served = await store.get<Served>(`static-cred/${name}`)
    return served && served.credential.password !== login.password ? served.at : undefined
  }

  return {
    servedAt: (name) => `static-creds/${name}`,
    sketch: (job, standing) =>
      on(job, async ({ rotor, opened, settings }) => ({
        target: `${opened.target.label}, connection ${settings.db_name}`,
        strategy: rotor.strategy,
        steps: rotor.steps(rotor.nextUsername(heldOf(standing))),
        gap: rotor.gap,
        seesSessions: rotor.seesSessions,
      })),
    plan: (job, next) =>
      on(job, async ({ rotor, settings }) => {
        if (rotor.gap && !settings.accept_gap) {
          throw new Failure('bad_request', 'this rotation has a gap: say accept_gap=true')
        }
        const username = rotor.nextUsername(heldOf(next))
        return { username, password: await newPassword(job, settings) }
      }),
    apply: (job, candidate, standing) =>
      on(job, ({ rotor }) => rotor.apply(loginOf(candidate), heldOf(standing))),
    async probe(job, credential) {
      try {
        return await on(job, ({ opened }) => opened.target.probe(loginOf(credential)))
      } catch (error) {
        return { outcome: 'unreachable', why: error instanceof Error ? error.message : 'trouble' }
      }
    },
    verify: (job, candidate, standing) =>
      on(job, async ({ rotor, opened, settings }) => {
        const login = loginOf(candidate)
        const first = await onEveryEndpoint(opened, settings, login)
        if (first.outcome !== 'works') return first
        const why = await rotor.differs?.(login, heldOf(standing))
        return why === undefined ? first : { outcome: 'refused', why }
      }),
    publish(store, name, { number, credential }: Generation, now) {
      servedCreds.put(store, name, { generation: number, credential: loginOf(credential), at: now })
    },
    sessions: (job, credential) =>
      on(job, async ({ rotor }) => {
        const login = loginOf(credential)
        return (await rotor.sessions?.(login, await servedSince(job, login))) ?? []
      }),
    softRevoke: (job, old, current) =>
      on(job, ({ rotor }) => rotor.softRevoke(loginOf(old), loginOf(current))),
    undoSoftRevoke: (job, old, current) =>
      on(job, ({ rotor }) => rotor.undoSoftRevoke(loginOf(old), loginOf(current))),
    refusedSince: (job, old, since) =>
      on(job, async ({ rotor }) => (await rotor.refusedSince?.(loginOf(old), since)) ?? 0),
    revoke: (job, old, current) =>
      on(job, ({ rotor }) => rotor.revoke(loginOf(old), loginOf(current))),
    terminate: (job, old) =>
      on(job, async ({ rotor }) => {
        const login = loginOf(old)
        return (await rotor.terminate?.(login, await servedSince(job, login))) ?? 0
      }),
    discard: (job, candidate, standing) =>
      on(job, ({ rotor }) => rotor.discard(loginOf(candidate), heldOf(standing))),
    reapply: (job, current) => on(job, ({ rotor }) => rotor.reapply(loginOf(current))),
    // The login that was served last stays, as with Vault. The one before is known to nobody who could
    // end it later.
    async retire(job, { current, previous }) {
      if (!current || !previous) return
      await on(job, ({ rotor }) =>
        rotor.revoke(loginOf(previous.credential), loginOf(current.credential)),
      )
    },
  }
}

async function newPassword(job: RotationJob, settings: Settings): Promise<string> {
  const connection = await connectionNamed(job.store, settings.db_name)
  const { proof } = await newCredential(job, {
    type: 'password',
    config: settings.credential_config,
    passwordPolicy: connection.password_policy,
    username: settings.username,
    expiresAt: 0,
  })
  return proof.password!
}

async function onEveryEndpoint(
  { target }: Opened,
  { endpoints }: Settings,
  login: Login,
): Promise<Probe> {
  const first = await target.probe(login)
  if (first.outcome !== 'works') return first
  for (const endpoint of endpoints) {
    const address = addressOf(endpoint, 0)
    const probe: Probe = address
      ? await target.probe(login, address)
      : { outcome: 'refused', why: 'it is no host:port' }
    if (probe.outcome !== 'works') return { ...probe, why: `${endpoint}: ${probe.why}` }
  }
  return first
}

export const removeServed = (store: EntryStore, name: string) => servedCreds.remove(store, name)
