/**
 * Sixteen writers, each on a connection and with records of its own: secrets, tokens, policies and
 * their ends. They go on until told to stop or until nobody answers any more.
 */
import { at, type Client, NoAnswer } from './client.ts'
import { type KeyRecord, type PolicyRecord, type Record_, type TokenRecord } from './ledger.ts'
import { type Coffer } from './process.ts'
import { type Seeded, seeded } from './seeded.ts'

const WRITERS = 16
const KEYS_EACH = 6
const POLICIES_EACH = 2

export type Writers = {
  readonly records: Record_[]
  readonly counts: { acked: number; unknown: number; refused: number }
  /** Writes until `enough` are acknowledged (then `then` is called at once) and nobody answers. */
  run(coffer: Coffer, enough: number, then: () => void): Promise<void>
}

type Writer = {
  name: string
  random: Seeded
  keys: KeyRecord[]
  policies: PolicyRecord[]
  tokens: TokenRecord[]
}

export function writers(seed: number): Writers {
  const records: Record_[] = []
  const counts = { acked: 0, unknown: 0, refused: 0 }
  let marks = 0
  const all = Array.from({ length: WRITERS }, (_, i): Writer => {
    const name = `w${i}`
    const keys = Array.from({ length: KEYS_EACH }, (_none, j): KeyRecord => {
      return { kind: 'key', name: `${name}/k${j}`, versions: [] }
    })
    const policies = Array.from({ length: POLICIES_EACH }, (_none, j): PolicyRecord => {
      return { kind: 'policy', name: `${name}-p${j}`, text: undefined }
    })
    records.push(...keys, ...policies)
    return { name, random: seeded(seed + i), keys, policies, tokens: [] }
  })

  const operation = (writer: Writer, client: Client): Promise<number> => {
    const mark = `${writer.name}-${marks++}`
    const dice = writer.random.below(100)
    if (dice < 55) return writeKey(client, writer.random.pick(writer.keys), mark)
    if (dice < 60) return purgeKey(client, writer.random.pick(writer.keys))
    if (dice < 72) return writePolicy(client, writer.random.pick(writer.policies), mark)
    const old = writer.tokens.find(({ ending }) => ending === 'no')
    if (dice < 80 && old) return revoke(client, old)
    return createToken(client, mark, (token) => {
      writer.tokens.push(token)
      records.push(token)
    })
  }

  return {
    records,
    counts,
    async run(coffer, enough, then) {
      const target = counts.acked + enough
      let over = false
      const work = async (writer: Writer) => {
        const client = coffer.client(1)
        try {
          while (!over) {
            const status = await operation(writer, client)
            if (status >= 500) counts.unknown++
            else if (status >= 400) counts.refused++
            else if (status > 0 && ++counts.acked >= target && !over) {
              over = true
              then()
            }
          }
        } catch (error) {
          if (!(error instanceof NoAnswer)) throw error
          counts.unknown++
        } finally {
          client.close()
        }
      }
      await Promise.all(all.map(work))
    },
  }
}

/** Until a pending operation is cleared up, the record is left alone; 0 = nothing was asked. */
async function writeKey(client: Client, key: KeyRecord, id: string): Promise<number> {
  if (key.pending) return 0
  key.pending = [...key.versions, id]
  const { status, body } = await client.ask('POST', `secret/data/${key.name}`, { data: { id } })
  if (status >= 500) return status
  if (status === 200 && at(body, 'data', 'version') !== key.pending.length) {
    throw new Error(`${key.name}: version ${String(at(body, 'data', 'version'))} is not the next`)
  }
  if (status === 200) key.versions = key.pending
  key.pending = undefined
  return status
}

/** Metadata and all versions in one go. */
async function purgeKey(client: Client, key: KeyRecord): Promise<number> {
  if (key.pending || key.versions.length === 0) return 0
  key.pending = []
  const { status } = await client.ask('DELETE', `secret/metadata/${key.name}`)
  if (status >= 500) return status
  if (status === 204) key.versions = []
  key.pending = undefined
  return status
}

async function writePolicy(client: Client, policy: PolicyRecord, mark: string): Promise<number> {
  if (policy.pending) return 0
  const text = `path "secret/data/${mark}" { capabilities = ["read"] }`
  policy.pending = text
  const { status } = await client.ask('PUT', `sys/policies/acl/${policy.name}`, { policy: text })
  if (status >= 500) return status
  if (status === 204) policy.text = text
  policy.pending = undefined
  return status
}

async function createToken(
  client: Client,
  mark: string,
  made: (token: TokenRecord) => void,
): Promise<number> {
  const wanted = { policies: ['default'], ttl: '1h', meta: { mark } }
  const { status, body } = await client.ask('POST', 'auth/token/create', wanted)
  const [id, accessor] = [at(body, 'auth', 'client_token'), at(body, 'auth', 'accessor')]
  if (status === 200 && typeof id === 'string' && typeof accessor === 'string') {
    made({ kind: 'token', id, accessor, mark, ending: 'no' })
  }
  return status
}

async function revoke(client: Client, token: TokenRecord): Promise<number> {
  token.ending = 'asked'
  const { status } = await client.ask('POST', 'auth/token/revoke', { token: token.id })
  if (status === 204) token.ending = 'done'
  return status
}
