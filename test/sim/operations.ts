/** What the simulation does to a node: one operation at a time, noted in the world as it answers. */
import { type Answer, at } from '../torture/client.ts'
import { type KeyRecord } from '../torture/ledger.ts'
import { type AskOptions, type Node } from './node.ts'
import { RENTAL_SECONDS } from './rental.ts'
import { isAlive, type Token, type World } from './world.ts'
import { type Verb } from '../../src/kit/engine.ts'

export const POLICY = 'path "*" { capabilities = ["create","read","update","delete","list"] }'
export const ROLE = 'auth/approle/role/sim'
const TOKEN_SECONDS = [60, 600, 3600]

/** One node as the operations use it: as root, counting what is acknowledged. */
export type Site = {
  readonly node: Node
  readonly root: string
  readonly world: World
  now(): number
}

async function ask(
  { node, root, world }: Site,
  [verb, path, data]: readonly [Verb, string, Record<string, unknown>?],
  options: AskOptions = {},
): Promise<Answer> {
  const answer = await node.ask(verb, path, data, { token: root, ...options })
  if (answer.status >= 500) world.counts.unknown++
  else if (answer.status < 300) world.counts.acked++
  else throw new Error(`${verb} ${path} answered ${answer.status}`)
  return answer
}

/** The newest few: what came long ago has been looked at often enough. */
const RECENT = 12
const pickLive = <T>(site: Site, from: readonly T[], live: (each: T) => boolean): T | undefined => {
  const found = from.slice(-RECENT).filter(live)
  return found.length === 0 ? undefined : site.world.random.pick(found)
}
const liveToken = (site: Site, limited: boolean) =>
  pickLive(
    site,
    site.world.tokens,
    (token) => isAlive(token, site.now()) && token.usesLeft > 0 === limited,
  )

async function writeKey(site: Site, key: KeyRecord): Promise<void> {
  const id = `v${site.world.count++}`
  key.pending = [...key.versions, id]
  const { status } = await ask(site, ['write', `secret/data/${key.name}`, { data: { id } }])
  if (status >= 500) return
  key.versions = key.pending
  key.pending = undefined
}

async function purgeKey(site: Site): Promise<void> {
  const key = site.world.random.pick(site.world.keys)
  key.pending = []
  const { status } = await ask(site, ['delete', `secret/metadata/${key.name}`])
  if (status >= 500) return
  key.versions = []
  key.pending = undefined
}

/** Three keys at once, so that writes meet in the store. */
async function writeKeys(site: Site): Promise<void> {
  const { keys, random } = site.world
  const from = random.below(keys.length)
  const some = [0, 1, 2].map((i) => keys[(from + i) % keys.length]!)
  await Promise.all(some.map((key) => writeKey(site, key)))
}

function newToken(
  site: Site,
  auth: unknown,
  more: { seconds: number; parent?: Token | undefined },
) {
  const made: Token = {
    id: at(auth, 'client_token') as string,
    accessor: at(auth, 'accessor') as string,
    usesLeft: at(auth, 'num_uses') as number,
    expiresAt: site.now() + more.seconds * 1000,
    parent: more.parent,
    ended: false,
  }
  site.world.tokens.push(made)
}

async function createToken(site: Site): Promise<void> {
  const { random } = site.world
  const parent = random.below(2) === 0 ? liveToken(site, false) : undefined
  const seconds = random.pick(TOKEN_SECONDS)
  const wanted = {
    policies: ['sim'],
    ttl: `${seconds}s`,
    ...(random.below(3) === 0 && { num_uses: 1 + random.below(3) }),
  }
  const answer = await ask(
    site,
    ['write', 'auth/token/create', wanted],
    parent && { token: parent.id },
  )
  if (answer.status < 300) newToken(site, answer.body['auth'], { seconds, parent })
}

async function useToken(site: Site): Promise<void> {
  const token = liveToken(site, true)
  if (!token) return createToken(site)
  token.pending = 'use'
  const { status } = await ask(site, ['read', 'auth/token/lookup-self'], { token: token.id })
  if (status >= 500) return
  token.pending = undefined
  token.usesLeft--
  token.ended = token.usesLeft === 0
}

async function endToken(site: Site): Promise<void> {
  const token = pickLive(site, site.world.tokens, (each) => isAlive(each, site.now()))
  if (!token) return createToken(site)
  const orphaning = site.world.random.below(3) === 0
  token.pending = orphaning ? 'end, children stay' : 'end'
  const path = `auth/token/revoke${orphaning ? '-orphan' : ''}`
  const { status } = await ask(site, ['write', path, { token: token.id }])
  if (status >= 500) return
  token.pending = undefined
  token.ended = true
  if (orphaning) setFree(site.world, token)
}

/** Its children have no parent any more. */
export function setFree(world: World, parent: Token): void {
  for (const token of world.tokens) if (token.parent === parent) token.parent = undefined
}

async function wrap(site: Site): Promise<void> {
  const value = `w${site.world.count++}`
  const options = { wrapTtlSeconds: 300 }
  const { status, body } = await ask(site, ['write', 'sys/wrapping/wrap', { value }], options)
  if (status >= 500) return
  site.world.singles.push({
    kind: 'wrap',
    id: at(body, 'wrap_info', 'token') as string,
    accessor: at(body, 'wrap_info', 'accessor') as string,
    value,
    expiresAt: site.now() + 300_000,
    used: false,
  })
}

async function makeSecretId(site: Site): Promise<void> {
  const { status, body } = await ask(site, ['write', `${ROLE}/secret-id`])
  if (status >= 500) return
  site.world.singles.push({
    kind: 'secret id',
    id: at(body, 'data', 'secret_id') as string,
    accessor: at(body, 'data', 'secret_id_accessor') as string,
    value: '',
    expiresAt: Infinity,
    used: false,
  })
}

/** Unwraps, or logs in. */
async function useSingle(site: Site): Promise<void> {
  const fresh = (each: { used: boolean; expiresAt: number }) =>
    !each.used && each.expiresAt > site.now()
  const single = pickLive(site, site.world.singles, fresh)
  if (!single) return site.world.random.below(2) === 0 ? wrap(site) : makeSecretId(site)
  single.pending = true
  const wrapped = single.kind === 'wrap'
  const login = { role_id: 'sim-role-id', secret_id: single.id }
  const { status, body } = wrapped
    ? await ask(site, ['write', 'sys/wrapping/unwrap'], { token: single.id })
    : await ask(site, ['write', 'auth/approle/login', login], { token: undefined })
  if (status >= 500) return
  single.pending = undefined
  single.used = true
  if (!wrapped) newToken(site, body['auth'], { seconds: 3600 })
  else if (at(body, 'data', 'value') !== single.value) throw new Error('another was unwrapped')
}

async function borrow(site: Site): Promise<void> {
  const owner = liveToken(site, false)
  const thing = `t${site.world.count++}`
  const options = owner && { token: owner.id }
  const { status, body } = await ask(site, ['read', `rental/thing/${thing}`], options)
  if (status >= 500) return
  const expiresAt = site.now() + RENTAL_SECONDS * 1000
  const id = body['lease_id'] as string
  site.world.lent.push({ id, thing, expiresAt, owner, ended: false })
}

async function giveBack(site: Site): Promise<void> {
  const lent = pickLive(site, site.world.lent, (each) => {
    const owned = each.owner === undefined || isAlive(each.owner, site.now())
    return !each.ended && each.expiresAt > site.now() && owned
  })
  if (!lent) return borrow(site)
  lent.pending = true
  const path = 'sys/leases/revoke'
  const { status } = await ask(site, ['write', path, { lease_id: lent.id, sync: true }])
  if (status >= 500) return
  lent.pending = undefined
  lent.ended = true
}

const OPERATIONS = [
  writeKeys,
  (site: Site) => writeKey(site, site.world.random.pick(site.world.keys)),
  purgeKey,
  createToken,
  createToken,
  useToken,
  endToken,
  wrap,
  makeSecretId,
  useSingle,
  useSingle,
  borrow,
  giveBack,
] as const

export const anyOperation = (site: Site): Promise<void> => site.world.random.pick(OPERATIONS)(site)
