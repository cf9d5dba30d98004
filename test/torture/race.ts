/**
 * T12: what can be used once is used once, however many ask at the same moment and through
 * whichever process: a secret id, a wrapping token, a token with one use.
 */
import { type Answer, at, type Client } from './client.ts'
import { type Coffer } from './process.ts'

export type RaceResult = {
  races: number
  won: number
  refused: number
  /** Sentences about races that had not exactly one winner, or answers of 500 and above. */
  wrong: string[]
}

const RACERS = 50

type Contest = {
  name: string
  /** Makes one thing that can be used once; returns how to use it. */
  make(root: Client): Promise<(racer: Client) => Promise<Answer>>
}

export const CONTESTS: readonly Contest[] = [
  {
    name: 'secret id',
    async make(root) {
      const id = await root.ask('GET', 'auth/approle/role/once/role-id')
      const made = await root.ask('POST', 'auth/approle/role/once/secret-id', {})
      const body = {
        role_id: at(id.body, 'data', 'role_id'),
        secret_id: at(made.body, 'data', 'secret_id'),
      }
      return (racer) => racer.ask('POST', 'auth/approle/login', body, { token: undefined })
    },
  },
  {
    name: 'wrapping token',
    async make(root) {
      const made = await root.ask('POST', 'sys/wrapping/wrap', { a: 1 }, { wrapTtl: '5m' })
      const token = at(made.body, 'wrap_info', 'token') as string
      return (racer) => racer.ask('POST', 'sys/wrapping/unwrap', undefined, { token })
    },
  },
  {
    name: 'token with one use',
    async make(root) {
      const made = await root.ask('POST', 'auth/token/create', { num_uses: 1, ttl: '5m' })
      const token = at(made.body, 'auth', 'client_token') as string
      return (racer) => racer.ask('GET', 'auth/token/lookup-self', undefined, { token })
    },
  },
]

/** What the contests need: an approle whose secret ids are good for one login. */
export async function prepareRaces(root: Client): Promise<void> {
  await root.ask('POST', 'sys/auth/approle', { type: 'approle' })
  const role = await root.ask('POST', 'auth/approle/role/once', { secret_id_num_uses: 1 })
  if (role.status !== 204) throw new Error(`the role was answered with ${role.status}`)
}

export async function races(coffer: Coffer, rounds: number): Promise<RaceResult> {
  const { root } = coffer
  await prepareRaces(root)
  const racers = Array.from({ length: RACERS }, () => coffer.client(1))
  // Every racer is connected, so that all start together.
  await Promise.all(racers.map((racer) => racer.ask('GET', 'sys/seal-status')))
  const result: RaceResult = { races: 0, won: 0, refused: 0, wrong: [] }
  for (let round = 0; round < rounds; round++) {
    for (const contest of CONTESTS) {
      const use = await contest.make(root)
      const statuses = await Promise.all(racers.map(async (racer) => (await use(racer)).status))
      const won = statuses.filter((status) => status < 300).length
      const broken = statuses.filter((status) => status >= 500)
      result.races++
      result.won += won
      result.refused += statuses.length - won - broken.length
      if (won !== 1) result.wrong.push(`${contest.name}: ${won} winners`)
      if (broken.length > 0) result.wrong.push(`${contest.name}: answered ${broken.join(', ')}`)
    }
  }
  for (const racer of [root, ...racers]) racer.close()
  return result
}
