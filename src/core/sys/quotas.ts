/** Rate limit quotas and what is said of all of them. They are about the server, so the root has them. */
import { type Call } from '../../kit/call.ts'
import { type Endpoint, endpoint } from '../../kit/engine.ts'
import { refuse } from '../../kit/failure.ts'
import { isRawJson } from '../../lib/json.ts'
import { uuid } from '../../lib/random.ts'
import { type Field, t } from '../../schema/field.ts'
import { type Core } from '../core.ts'
import { findNamespace, namespacesOf, scopeIn } from '../namespaces.ts'
import { type QuotaConfig, quotaTable, type RateLimitQuota, saveQuotaTable } from '../quotas.ts'
import { txOf } from '../turn.ts'
import { leaseCountEndpoints } from './quotas-leases.ts'

const RATE_MAX = 1_000_000
const SECONDS_MAX = 2_592_000
const PATH_BYTES_MAX = 512
/** All of them lie in one entry, which each request reads. */
export const QUOTAS_MAX = 200
const EXEMPT_MAX = 100

const NAME = t.name({ help: 'Name of the quota.' })

/** A number, not necessarily a whole one, also as text. Its limits are checked by `checkedRate`. */
const rate: Field<number | undefined> = {
  help: 'Requests of an address in each interval.',
  clear: true,
  schema: { type: 'number', format: 'float' },
  fallback: undefined,
  parse(input) {
    const word = isRawJson(input) ? input.rawJSON : input
    if (typeof word === 'number') return word
    if (typeof word === 'string' && /^\d{1,7}(?:\.\d{1,6})?$/.test(word)) return Number(word)
    throw new TypeError('expected a number')
  },
}

const FIELDS = {
  type: t.string({ help: 'Always rate-limit.', clear: true }),
  path: t.string({
    help: 'A namespace, a mount or a path, which may end in a star; empty for the server.',
    clear: true,
  }),
  role: t.string({
    help: 'Only logins of this role; the path is then an auth mount.',
    clear: true,
  }),
  rate,
  interval: t.duration({ help: 'How long an interval is; a second unless set.', clear: true }),
  block_interval: t.duration({
    help: 'How long an address is refused that has asked too often.',
    clear: true,
  }),
  inheritable: t.bool({
    help: 'Of a namespace: whether it is for those below as well.',
    clear: true,
  }),
}

type Change = {
  name: string
  type: string | undefined
  path: string | undefined
  role: string | undefined
  rate: number | undefined
  interval: number | undefined
  block_interval: number | undefined
  inheritable: boolean | undefined
}

export function quotasEndpoints(core: Core): Endpoint[] {
  return [
    configEndpoint(),
    ...leaseCountEndpoints(core),
    endpoint('quotas/rate-limit', {
      help: 'Names of the rate limit quotas.',
      fields: {},
      async list(call) {
        const { quotas } = await quotaTable(txOf(call as never))
        return { keys: quotas.map(({ name }) => name) }
      },
    }),
    endpoint('quotas/rate-limit/:name', {
      help: 'How often an address may ask.',
      fields: { name: NAME, ...FIELDS },
      async read(call) {
        const { quotas } = await quotaTable(txOf(call as never))
        const found = quotas.find(({ name }) => name === call.data.name)
        return found && shown(found)
      },
      write: (call) => write(call, core),
      async delete(call) {
        const tx = txOf(call as never)
        const table = await quotaTable(tx)
        const quotas = table.quotas.filter(({ name }) => name !== call.data.name)
        saveQuotaTable(tx, { ...table, quotas })
        return undefined
      },
      example: { path: 'secret/', rate: 100, interval: '1s' },
    }),
  ]
}

function shown(quota: RateLimitQuota): Record<string, unknown> {
  const { uid: _, ...settings } = quota
  return { ...settings, type: 'rate-limit' }
}

async function write(call: Call<Change>, core: Core): Promise<undefined> {
  const { data } = call
  const tx = txOf(call as never)
  const table = await quotaTable(tx)
  const before = table.quotas.find(({ name }) => name === data.name)
  if (data.type !== undefined && data.type !== '' && data.type !== 'rate-limit') {
    refuse('quota type must be rate-limit')
  }
  const place = await placeOf(call, core, data.path ?? before?.path ?? '')
  const role = data.role ?? before?.role ?? ''
  if (role !== '' && place.kind !== 'auth mount') {
    refuse('a role needs the path of an auth mount')
  }
  // Quotas of the root are for everything below it, unless it is said otherwise.
  const inheritable =
    data.inheritable ?? (before?.path === place.path ? before.inheritable : place.path === '')
  if (inheritable && place.kind !== 'namespace') {
    refuse('only quotas of the server or a namespace can be inheritable')
  }
  const next: RateLimitQuota = {
    name: data.name,
    uid: uuid(call.random),
    path: place.path,
    role,
    rate: checkedRate(data.rate ?? before?.rate),
    interval: checkedSeconds('interval', data.interval ?? before?.interval ?? 1, 1),
    block_interval: checkedSeconds(
      'block_interval',
      data.block_interval ?? before?.block_interval ?? 0,
      0,
    ),
    inheritable,
  }
  const others = table.quotas.filter(({ name }) => name !== data.name)
  const same = others.find((other) => other.path === next.path && other.role === role)
  if (same) refuse(`quota rule with similar properties exists under the name "${same.name}"`)
  if (others.length >= QUOTAS_MAX) refuse(`there can be ${QUOTAS_MAX} quotas`)
  const quotas = [...others, next].sort((a, b) => (a.name < b.name ? -1 : 1))
  saveQuotaTable(tx, { ...table, quotas })
  return undefined
}

function checkedRate(given: number | undefined): number {
  if (given === undefined || !(given > 0)) refuse("invalid rate: 'rate' must be greater than 0")
  if (given > RATE_MAX) refuse(`invalid rate: 'rate' must be at most ${RATE_MAX}`)
  return given
}

function checkedSeconds(field: string, seconds: number, least: number): number {
  if (seconds < least || seconds > SECONDS_MAX) {
    refuse(`invalid ${field}: it must be from ${least} second to ${SECONDS_MAX} seconds`)
  }
  return seconds
}

type Place = { path: string; kind: 'namespace' | 'auth mount' | 'mount' | 'path' }

/** What a path is about; 400 unless it is something that exists. */
export async function placeOf(call: Call<unknown>, core: Core, given: string): Promise<Place> {
  const tx = txOf(call as never)
  const wrong = () => refuse(`invalid mount path ${JSON.stringify(given)}`)
  if (Buffer.byteLength(given) > PATH_BYTES_MAX || /\p{Cc}|\/\/|^\//u.test(given)) wrong()
  const stem = given.endsWith('*') ? given.slice(0, -1) : given
  if (stem.includes('*')) refuse('a path may have one star, at its end')
  // A namespace is one with or without its last slash.
  const whole = stem.endsWith('/') || stem === '' ? stem : `${stem}/`
  const { namespace, path: rest } = findNamespace(await namespacesOf(tx), '', whole)
  if (rest === '') return stem === given ? { path: namespace.path, kind: 'namespace' } : wrong()
  const mount =
    namespace.path === '' && rest.startsWith('sys/')
      ? core.sysMount(rest)
      : await core.mounts.find(scopeIn(tx, namespace), rest)
  if (!mount) return wrong()
  const mountPath = namespace.path + mount.entry.path
  if (whole === mountPath && stem === given) {
    return { path: mountPath, kind: mount.entry.class === 'auth' ? 'auth mount' : 'mount' }
  }
  return { path: given, kind: 'path' }
}

function configEndpoint(): Endpoint {
  const fields = {
    rate_limit_exempt_paths: t.list({
      help: 'Paths that are never refused, in any namespace; they may end in a star.',
      clear: true,
    }),
    absolute_rate_limit_exempt_paths: t.list({
      help: 'The same, from the root.',
      clear: true,
    }),
    enable_rate_limit_audit_logging: t.bool({
      help: 'Whether requests refused by a rate limit are in the audit log.',
      clear: true,
    }),
    enable_rate_limit_response_headers: t.bool({
      help: 'Whether answers tell how many requests are left.',
      clear: true,
    }),
  }
  return endpoint('quotas/config', {
    help: 'What is common to all rate limit quotas.',
    fields,
    read: async (call) => ({ ...(await quotaTable(txOf(call as never))).config }),
    async write(call) {
      const { data } = call
      const tx = txOf(call as never)
      const table = await quotaTable(tx)
      const config: QuotaConfig = {
        rate_limit_exempt_paths:
          data.rate_limit_exempt_paths ?? table.config.rate_limit_exempt_paths,
        absolute_rate_limit_exempt_paths:
          data.absolute_rate_limit_exempt_paths ?? table.config.absolute_rate_limit_exempt_paths,
        enable_rate_limit_audit_logging:
          data.enable_rate_limit_audit_logging ?? table.config.enable_rate_limit_audit_logging,
        enable_rate_limit_response_headers:
          data.enable_rate_limit_response_headers ??
          table.config.enable_rate_limit_response_headers,
      }
      const paths = [config.rate_limit_exempt_paths, config.absolute_rate_limit_exempt_paths].flat()
      if (paths.length > EXEMPT_MAX) refuse(`there can be ${EXEMPT_MAX} exempt paths`)
      if (paths.some((path) => Buffer.byteLength(path) > PATH_BYTES_MAX)) {
        refuse('an exempt path is too long')
      }
      saveQuotaTable(tx, { ...table, config })
      return undefined
    },
  })
}
