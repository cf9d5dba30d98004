/** Every route of the server, from the declarations of the engines, with a canary wherever a value may be. */
import { type Endpoint, type Engine, type Verb } from '../../src/kit/engine.ts'
import { type Api } from '../support/server.ts'
import { testCore } from '../support/test-core.ts'

/** A new one each time it is called. */
export type Canary = () => string

export type Asked = { method: string; path: string; body?: unknown; query?: Record<string, string> }

const METHODS: Record<Verb, string> = {
  read: 'GET',
  list: 'LIST',
  scan: 'SCAN',
  write: 'POST',
  patch: 'PATCH',
  delete: 'DELETE',
}
/**
 * What ends the server, the log or the token that asks, takes what is mounted away, makes all others
 * wait, or goes on without an end.
 */
const LEFT_OUT =
  /^(?:seal|step-down|audit|rekey|rotate|namespaces|quotas|monitor|pprof|loggers|coffer\/watch|revoke-self|raw|in-flight)/

/**
 * Names and places, which errors and the audit log may tell; the log names a host that cannot be
 * reached; `state` is what a client wants back.
 */
const NAMES = /^(?:role|method_id|paths?|host|state)$/

/** Mounts every engine; gives what there is to ask for. */
export async function allRoutes(api: Api): Promise<Route[]> {
  const { core } = await testCore()
  const routes: Route[] = []
  for (const engine of core.engines) {
    const mount = await mounted(api, engine)
    for (const endpoint of engine.endpoints) {
      if (LEFT_OUT.test(endpoint.path)) continue
      for (const verb of Object.keys(METHODS) as Verb[]) {
        if (endpoint[verb]) routes.push({ mount, endpoint, verb })
      }
    }
  }
  await core.close()
  return routes
}

export type Route = { mount: string; endpoint: Endpoint; verb: Verb }

const OWN: Record<string, string> = {
  system: 'sys/',
  token: 'auth/token/',
  identity: 'identity/',
  cubbyhole: 'cubbyhole/',
}

async function mounted(api: Api, { type, class: of, version }: Engine) {
  const own = OWN[type]
  if (own !== undefined) return own
  const name = `${type}${version ?? ''}`
  const options = version === undefined ? {} : { options: { version } }
  await api.write(`sys/${of === 'auth' ? 'auth' : 'mounts'}/${name}`, { type, ...options })
  return `${of === 'auth' ? 'auth/' : ''}${name}/`
}

/** What a field that is not declared clear, or that nobody has declared, may hold. */
export function requestOf({ mount, endpoint, verb }: Route, canary: Canary): Asked {
  const { fields, path, example = {} } = endpoint
  const at = path.replace(/:[a-z_]+\*/g, 'a/b').replace(/:[a-z_]+/g, 'a')
  const method = METHODS[verb]
  const hidden = Object.entries(fields).filter(
    ([name, field]) => !field.clear && !NAMES.test(name) && !path.includes(`:${name}`),
  )
  const data: Record<string, unknown> = { ...example }
  for (const [name] of hidden) data[name] = like(data[name], canary)
  if (method === 'GET' || method === 'LIST' || method === 'SCAN' || method === 'DELETE') {
    return { method, path: mount + at, query: { asked: canary() } }
  }
  return { method, path: mount + at, body: { ...data, of_no_field: canary() } }
}

/** The same shape, with a canary in the place of each text. */
function like(example: unknown, canary: Canary): unknown {
  if (Array.isArray(example)) return example.map((each) => like(each, canary))
  if (typeof example !== 'object' || example === null) return canary()
  return Object.fromEntries(Object.entries(example).map(([key, each]) => [key, like(each, canary)]))
}

/** What is stored and read back, so that canaries go through what succeeds as well. */
export async function storeAndRead(api: Api, canary: Canary, round: number): Promise<void> {
  const nested = () => ({ a: canary(), b: [canary(), { c: canary() }], d: { e: canary() } })
  const name = `thing-${round}`
  const wrapped = { headers: { 'x-vault-wrap-ttl': '90' } }
  await api.write(`kv2/data/${name}`, { data: nested() })
  await api.patch(`kv2/data/${name}`, { data: { more: canary() } })
  await api.write(`kv2/metadata/${name}`, { custom_metadata: { note: canary() } })
  await api.read(`kv2/data/${name}`)
  await api.write(`kv1/${name}`, nested())
  await api.read(`kv1/${name}`)
  await api.write(`cubbyhole/${name}`, nested())
  await api.write('sys/coffer/read', { paths: [`kv2/data/${name}`, `kv1/${name}`] })
  await api.write('sys/coffer/fingerprints', { path: 'kv2/' })
  const { body } = await api.write('sys/wrapping/wrap', nested(), wrapped)
  const { token } = Object(body['wrap_info']) as { token?: string }
  await api.write('sys/wrapping/unwrap', { token })
  const password = canary()
  await api.write(`auth/userpass/users/${name}`, { password })
  await api.write(`auth/userpass/login/${name}`, { password }, { token: undefined })
  await api.write(`auth/userpass/login/${name}`, { password: canary() }, { token: undefined })
  await api.write(`auth/approle/role/${name}`, { token_policies: ['default'] })
  const secret = canary()
  await api.write(`auth/approle/role/${name}/custom-secret-id`, { secret_id: secret })
  await api.write(
    'auth/approle/login',
    { role_id: canary(), secret_id: secret },
    { token: undefined },
  )
  const honey = { kind: 'kv', path: `kv2/bait-${round}`, note: canary() }
  const hook = { webhook: `http://127.0.0.1:9/${canary()}`, webhook_key: canary() }
  await api.write(`sys/coffer/honey/${name}`, { ...honey, ...hook })
  await api.write(`kv2/data/bait-${round}`, { data: nested() })
  await api.write('sys/coffer/leaked', { path: `kv2/${name}`, source: canary() })
}

/** Requests that cannot be read, and tokens that are none. */
export async function malformed(api: Api, canary: Canary): Promise<void> {
  const bodies = [
    (c: string) => `{"data":{"a":"${c}"`,
    (c: string) => `{"data":{"a":${c}}}`,
    (c: string) => `{"${c}`,
    (c: string) => c,
    (c: string) => `["${c}"]`,
    (c: string) => `{"options":{"cas":"${c}"},"data":{}}`,
  ]
  for (const path of ['kv2/data/x', 'sys/policies/acl/x', 'auth/token/create', 'sys/mounts/x']) {
    for (const body of bodies) await api.send('POST', path, { body: body(canary()) })
  }
  for (const path of ['auth/token/lookup-self', 'kv2/data/x', 'sys/mounts', 'nothing/here']) {
    await api.read(path, { token: canary() })
    await api.read(path, { token: `hvs.${canary()}` })
    await api.read(path, { headers: { 'x-vault-wrap-ttl': canary(), 'x-other': canary() } })
  }
}
