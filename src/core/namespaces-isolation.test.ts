/**
 * Two namespaces side by side, and every endpoint of every engine this build has, from the engines'
 * own declarations: whoever may do everything in one has no effect in the other, sees nothing of it,
 * and can do nothing there with its ids.
 */
import { deepEqual, equal, ok } from 'node:assert/strict'
import { before, test } from 'node:test'
import { type Far, rental } from '../../test/support/rental.ts'
import { type Tenants, tenants, type TokenAuth } from '../../test/support/namespaces.ts'
import { type Answered } from '../../test/support/test-core.ts'
import { type Endpoint, type Engine, type Verb } from '../kit/engine.ts'
import { ENGINES } from '../server/builtin.ts'
import { accessOf } from './turn.ts'

/** Names in `a` that requests from `c` may speak of, and what only an answer out of `a` could hold. */
const NAME = 'mine-0'
const VALUE = 'VALUE-CANARY'

/** An object, so that a new verb cannot be forgotten. */
const VERBS = Object.keys({
  read: true,
  list: true,
  scan: true,
  write: true,
  patch: true,
  delete: true,
} satisfies Record<Verb, true>) as Verb[]
const FIXED = new Set(['system', 'token', 'identity', 'cubbyhole'])

/** One route: an endpoint of an engine, where the engine is mounted in both namespaces. */
type Route = { mount: string; engine: Engine; endpoint: Endpoint; verb: Verb }

let house: Tenants
let routes: Route[]
/** What is known of `a`: words that may be asked about, by the names of the fields that take them. */
let known: Record<string, string>
/** Ids of `a` that must never be seen from `c`. */
let ids: string[]
let admin: TokenAuth

before(async () => {
  const far: Far = { revoked: [], broken: false }
  house = await tenants({ engines: [...ENGINES, rental(far)] })
  const { core } = house
  routes = []
  for (const engine of core.engines) {
    const mount = await mounted(engine)
    for (const endpoint of engine.endpoints) {
      for (const verb of VERBS) {
        if (endpoint[verb]) routes.push({ mount, engine, endpoint, verb })
      }
    }
  }
  await fill()
})

/** Mounts it in both namespaces, if it is not there by itself; where it is. */
async function mounted({ type, class: kind, version }: Engine): Promise<string> {
  if (type === 'system') return 'sys/'
  if (type === 'token') return 'auth/token/'
  if (FIXED.has(type)) return `${type}/`
  const name = `${type}${version ?? ''}`
  for (const namespace of ['a', 'c']) {
    const options = version === undefined ? {} : { options: { version } }
    const description = namespace === 'a' ? VALUE : ''
    const data = { type, description, ...options }
    const made = await house.ask('write', `${api(kind)}/${name}`, data, { namespace })
    equal(made.status, 204, `${name}: ${made.text}`)
  }
  return `${kind === 'auth' ? 'auth/' : ''}${name}/`
}

const api = (kind: Engine['class']) => (kind === 'auth' ? 'sys/auth' : 'sys/mounts')

/** Puts something of every kind into `a`. */
async function fill(): Promise<void> {
  const { ask, token, policy } = house
  const at = { namespace: 'a' }
  const note = { note: VALUE }
  const put = async (path: string, data: Record<string, unknown>) => {
    const made = await ask('write', path, data, at)
    ok(made.status < 300, `${path}: ${made.text}`)
    return made.body?.data ?? {}
  }
  await policy('a', NAME, `# ${VALUE}\npath "x" { capabilities = ["read"] }`)
  await put('kv1/' + NAME, note)
  await put(`kv2/data/${NAME}`, { data: note })
  await put(`kv2/metadata/${NAME}`, { custom_metadata: note })
  const { id: entity } = await put('identity/entity', { name: NAME, metadata: note })
  const { id: group } = await put('identity/group', { name: NAME, metadata: note })
  const approle = await ask('read', 'sys/auth/approle', {}, at)
  const accessor = String(approle.body.data!['accessor'])
  const alias = {
    name: NAME,
    canonical_id: entity,
    mount_accessor: accessor,
    custom_metadata: note,
  }
  const { id: aliasId } = await put('identity/entity-alias', alias)
  await put(`auth/approle/role/${NAME}`, { token_policies: NAME, role_id: `${NAME}-role` })
  const secretId = await put(`auth/approle/role/${NAME}/secret-id`, {
    metadata: '{"v":"' + VALUE + '"}',
  })
  await put(`auth/userpass/users/${NAME}`, { password: 'pass-word-0' })
  const login = { role_id: `${NAME}-role`, secret_id: secretId['secret_id'] }
  const { accessor: loginAccessor } = (await ask('write', 'auth/approle/login', login, at)).body[
    'auth'
  ] as TokenAuth
  const mine = await token('a', { policies: [NAME], meta: note, display_name: VALUE })
  const lease = (await ask('read', `rental/thing/${NAME}`, {}, at)).body['lease_id'] as string
  await put('cubbyhole/x', note)
  const wrapping = (await ask('write', 'sys/wrapping/wrap', note, { ...at, wrapTtlSeconds: 3600 }))
    .body['wrap_info'] as { token: string }
  await put('sys/namespaces/d', { custom_metadata: note })
  const own = (await ask('read', 'sys/namespaces/a')).body.data!
  const above = await fillRoot()
  known = {
    token: mine.client_token,
    accessor: mine.accessor,
    lease_id: lease,
    url_lease_id: lease,
    id: String(entity),
    entity_id: String(entity),
    canonical_id: String(entity),
    from_entity_ids: String(entity),
    to_entity_id: String(entity),
    member_entity_ids: String(entity),
    member_group_ids: String(group),
    group_id: String(group),
    alias_id: String(aliasId),
    mount_accessor: accessor,
    alias_mount_accessor: accessor,
    role_id: `${NAME}-role`,
    secret_id: String(secretId['secret_id']),
    secret_id_accessor: String(secretId['secret_id_accessor']),
    password: 'pass-word-0',
    prefix: 'rental',
    from: 'kv1',
    to: 'elsewhere',
  }
  ids = [...['accessor', 'id', 'group_id', 'alias_id', 'mount_accessor', 'secret_id_accessor']].map(
    (name) => known[name]!,
  )
  ids.push(mine.client_token, lease, wrapping.token, loginAccessor, ...above)
  ids.push(String(own['uuid']), `.${String(own['id'])}`, String(own['id']))
  admin = await house.admin('c')
}

/** The same kinds of things in the root; their ids, which must not be seen either. */
async function fillRoot(): Promise<string[]> {
  const { ask, token, policy } = house
  await policy('', NAME, `# ${VALUE}\npath "x" { capabilities = ["read"] }`)
  await ask('write', 'sys/mounts/rental', { type: 'rental', description: VALUE })
  const lease = (await ask('read', `rental/thing/${NAME}`)).body['lease_id'] as string
  const entity = await ask('write', 'identity/entity', { name: NAME, metadata: { note: VALUE } })
  const { accessor } = await token('', { policies: [NAME], meta: { note: VALUE } })
  const mounts = (await ask('read', 'sys/mounts')).body.data as Record<string, { uuid: string }>
  return [lease, String(entity.body.data!['id']), accessor, mounts['secret/']!.uuid]
}

/** The path of a route, its captures filled by `word`. */
function pathOf({ mount, endpoint }: Route, word: (name: string) => string): string {
  const parts = endpoint.path.split('/').filter((part) => part !== '')
  const filled = parts.map((part) =>
    part.startsWith(':') ? word(part.slice(1).replace('*', '')) : part,
  )
  return mount + filled.join('/')
}

const labelOf = (route: Route) => `${route.verb} ${route.mount}${route.endpoint.path}`
const neutral = () => 'neutral-0'
const asked = (name: string) => known[name] ?? NAME

/** A body of whatever fields the endpoint has and `a` has a word for. */
function bodyOf({ endpoint }: Route): Record<string, unknown> {
  const names = Object.keys(endpoint.fields).filter((name) => known[name] !== undefined)
  return Object.fromEntries(names.map((name) => [name, known[name]]))
}

/** When each record of the store was last written; but for those below some paths. */
async function records(except: readonly string[]): Promise<Record<string, number>> {
  const { store, keeper } = house.core
  const left = ['duty/', ...except].map((path) => keeper.space!.keyOf(path))
  const found: Record<string, number> = {}
  const walk = async (under: string): Promise<void> => {
    for (const name of await store.list(under)) {
      const key = under + name
      if (left.some((other) => key.startsWith(other))) continue
      if (name.endsWith('/')) await walk(key)
      else found[key] = (await store.get(key))!.revision
    }
  }
  // What the barrier itself keeps lies elsewhere.
  await walk('d/')
  return found
}

/** All but what `c` may change: its own part, and what it leaves in the indexes of the root. */
async function recordsOfOthers(): Promise<Record<string, number>> {
  const uuids: string[] = []
  for (const path of ['sys/mounts', 'sys/auth']) {
    const { data } = (await house.ask('read', path, {}, { namespace: 'c' })).body
    uuids.push(...Object.values(data as Record<string, { uuid: string }>).map(({ uuid }) => uuid))
  }
  const own = String((await house.ask('read', 'sys/namespaces/c')).body.data!['uuid'])
  const lockouts = uuids.map((uuid) => `lockout/${uuid}/`)
  return records([`ns/${own}/`, 'token-child/', 'lease-of/', 'sys/namespaces', ...lockouts])
}

/** A new admin's token of `c`: some endpoints end the one that asks. */
async function fresh(): Promise<string> {
  const body = { policies: ['admin'], no_default_policy: true }
  return (await house.token('c', body)).client_token
}

/** Asks in `c`, as one who may do everything there; and opens it again when that was to lock it. */
async function askInC(
  route: Route,
  path: string,
  data: Record<string, unknown>,
): Promise<Answered> {
  const token = await fresh()
  const answer = await house.ask(route.verb, path, data, { namespace: 'c', token })
  if (route.endpoint.path.includes('api-lock')) {
    await house.ask('write', 'sys/namespaces/api-lock/unlock', {}, { namespace: 'c' })
  }
  return answer
}

/** Fails when an answer holds something that only `a` has. */
function refuseLeak(route: Route, { text }: Answered, spoken: string): void {
  ok(!text.includes(VALUE), `${labelOf(route)} shows a value`)
  for (const id of ids) {
    const said = spoken.includes(id)
    ok(said || !text.includes(id), `${labelOf(route)} shows an id`)
  }
}

test('there are routes of every engine', () => {
  ok(routes.length > 200)
  for (const engine of house.core.engines) {
    ok(
      routes.some((route) => route.engine === engine),
      engine.type,
    )
  }
})

test('S22 no token of one namespace is worth anything in another, on any route', async () => {
  const below = await house.admin('a/b')
  const before = await records([])
  ok(Object.keys(before).length > 30)
  const { ask } = house
  for (const route of routes) {
    const { endpoint, verb } = route
    const access = accessOf(endpoint, verb)
    const open = access === 'public' || access === 'login'
    // What anyone may ask, a token must not make worth more.
    if (open) continue
    for (const [token, namespace, prefix] of [
      // Beside: the sibling, by the header and by the path, and what is below the sibling.
      [admin.client_token, 'a', ''],
      [admin.client_token, '', 'a/'],
      [admin.client_token, 'a/b', ''],
      [below.client_token, 'c', ''],
      // Above: the root, and the parent.
      [admin.client_token, '', ''],
      [known['token']!, '', ''],
      [below.client_token, '', ''],
      [below.client_token, 'a', ''],
    ] as const) {
      const path = prefix + pathOf(route, asked)
      const answer = await ask(verb, path, bodyOf(route), { namespace, token })
      const trailing = (verb === 'write' || verb === 'patch') && path.endsWith('/')
      const denied = trailing ? [400] : [401, 403]
      ok(denied.includes(answer.status), `${labelOf(route)} in "${namespace}"`)
      refuseLeak(route, answer, path + JSON.stringify(bodyOf(route)))
    }
  }
  deepEqual(await records([]), before)
})

test('what anyone may ask is not worth more with a token of another namespace', async () => {
  const { ask } = house
  const open = routes.filter(({ endpoint, verb, engine }) => {
    const access = accessOf(endpoint, verb)
    // The root-only ones (unseal, rekey …) are refused in every namespace.
    return (access === 'public' || access === 'login') && engine.type !== 'system'
  })
  for (const route of open) {
    const path = pathOf(route, neutral)
    const [none, other] = [undefined, admin.client_token]
    const without = await ask(route.verb, path, {}, { namespace: 'a', token: none })
    const with_ = await ask(route.verb, path, {}, { namespace: 'a', token: other })
    equal(with_.status, without.status, labelOf(route))
    refuseLeak(route, with_, path)
  }
  for (const path of ['sys/internal/ui/mounts', 'sys/internal/ui/mounts/kv1/x']) {
    const token = admin.client_token
    equal((await ask('read', path, {}, { namespace: 'a', token })).status, 403)
  }
  const docs = await ask(
    'read',
    'sys/internal/specs/openapi',
    {},
    {
      namespace: 'a',
      token: admin.client_token,
    },
  )
  ok([403, 404].includes(docs.status))
})

test('no route of a namespace shows anything of the one beside it, or of the root', async () => {
  for (const route of routes.filter(({ verb }) => ['read', 'list', 'scan'].includes(verb))) {
    const path = pathOf(route, neutral)
    const answer = await askInC(route, path, {})
    refuseLeak(route, answer, path)
    const names = answer.text.replaceAll(/neutral-0/g, '')
    ok(!names.includes(NAME), `${labelOf(route)} shows a name`)
  }
})

test('S22 ids and names of one namespace have no effect when they are given in another', async () => {
  const before = await recordsOfOthers()
  ok(Object.keys(before).length > 30)
  for (const route of routes) {
    // In the path, in the body, and in both.
    for (const [word, body] of [
      [asked, {}],
      [neutral, bodyOf(route)],
      [asked, bodyOf(route)],
    ] as const) {
      const path = pathOf(route, word)
      const answer = await askInC(route, path, body)
      refuseLeak(route, answer, path + JSON.stringify(body))
    }
  }
  deepEqual(await recordsOfOthers(), before)
})

test('lists of accessors, leases, policies, mounts, entities and namespaces are those of one', async () => {
  const fresh = await house.ask('write', 'sys/namespaces/empty')
  equal(fresh.status, 200)
  const at = { namespace: 'empty' }
  const list = async (path: string) => {
    const { body } = await house.ask('list', path, {}, at)
    return (body.data?.['keys'] as string[] | undefined) ?? []
  }
  deepEqual(await list('auth/token/accessors'), [])
  deepEqual(await list('sys/leases/lookup'), [])
  deepEqual(await list('sys/policies/acl'), ['default', 'root'])
  deepEqual(await list('identity/entity/id'), [])
  deepEqual(await list('identity/entity/name'), [])
  deepEqual(await list('identity/group/id'), [])
  deepEqual(await list('identity/entity-alias/id'), [])
  deepEqual(await list('sys/namespaces'), [])
  const mounts = (await house.ask('read', 'sys/mounts', {}, at)).body.data!
  deepEqual(Object.keys(mounts), ['cubbyhole/', 'identity/', 'sys/'])
})
