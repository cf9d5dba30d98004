/** Those who use what is rotated: clients that acknowledge, and readers that say nothing. */
import { type Seeded } from '../../torture/seeded.ts'
import { type AskOptions } from '../node.ts'
import { type Credential } from './subject.ts'

type Answer = { status: number; body: Record<string, unknown>; headers: Record<string, string> }
export type Asks = (
  verb: 'read' | 'write',
  path: string,
  data: Record<string, unknown>,
  options: AskOptions,
) => Promise<Answer>

export type Held = { generation: number; credential: Credential }

export type App = {
  readonly name: string
  /** Everything it may still log in with, the newest last. */
  holds: Held[]
  /** What it does in a moment of its own. */
  act(asks: Asks, now: number): Promise<void>
}

type About = { path: string; token: string; random: Seeded }

async function fetched(
  asks: Asks,
  { path, token }: About,
  headers = {},
): Promise<Held | undefined> {
  const { status, body, headers: told } = await asks('read', path, {}, { token, headers })
  if (status !== 200) return undefined
  const generation = Number(told['X-Coffer-Generation'])
  return { generation, credential: body['data'] as Credential }
}

/** Takes the new one beside the old, lets its pool drain for a while, and says so. */
export function client(name: string, about: About): App {
  const { path, token, random } = about
  const app: App = {
    name,
    holds: [],
    async act(asks) {
      const headers = { 'X-Coffer-Instance': name, 'X-Coffer-App': 'sim' }
      const ack = (state: string, generation: number) =>
        asks('write', 'sys/coffer/ack', { path, state, generation, instance: name }, { token })
      if (random.below(2) === 0) {
        const found = await fetched(asks, about, headers)
        const newest = app.holds.at(-1)
        if (found && found.generation !== newest?.generation) {
          app.holds = [...app.holds.filter((each) => each.generation !== found.generation), found]
          await ack('seen', found.generation)
        }
      }
      const newest = app.holds.at(-1)
      if (!newest) return
      if (app.holds.length > 1 && random.below(3) === 0) {
        app.holds = [newest]
      }
      // The same word again is its heartbeat.
      await ack(app.holds.length > 1 ? 'applied' : 'drained', newest.generation)
    },
  }
  return app
}

/** Reads now and then, and must do so within the time for which readers are believed to hold. */
export function reader(name: string, about: About, everySeconds: number): App {
  let readAt = -Infinity
  const app: App = {
    name,
    holds: [],
    async act(asks, now) {
      const due = now - readAt >= everySeconds * 1000
      if (!due && about.random.below(12) > 0) return
      const found = await fetched(asks, about)
      if (!found) return
      readAt = now
      app.holds = [found]
    },
  }
  return app
}
