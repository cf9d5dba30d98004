/** What `secrets` and `auth` share: tuning flags, the list of mounts, and the move. */
import { setTimeout as sleep } from 'node:timers/promises'
import { isObject, type JsonObject } from '../../lib/json.ts'
import { CliError } from '../cli-error.ts'
import { type Context, type Flag, flag } from '../command.ts'
import { goValue, sortedKeys } from '../go-text.ts'
import { inByteOrder } from '../output/exact-json.ts'
import { showField } from '../output/secret.ts'
import { table } from '../output/table.ts'

export const tuneFlags = {
  description: flag.string('What it is for, for people.'),
  'default-lease-ttl': flag.duration('How long leases live. -1: as the server says.'),
  'max-lease-ttl': flag.duration('How long leases live at most. -1: as the server says.'),
  'audit-non-hmac-request-keys': flag.list('Field of requests that audit logs show in clear.'),
  'audit-non-hmac-response-keys': flag.list('Field of responses that audit logs show in clear.'),
  'listing-visibility': flag.string('Whether it is listed without a token: unauth or hidden.'),
  'passthrough-request-headers': flag.list('Header of requests that the engine may see.'),
  'allowed-response-headers': flag.list('Header of responses that the engine may set.'),
  'plugin-version': flag.string('Version of the engine to run.'),
  options: flag.map('Option of the engine, as key=value. May be given many times.'),
} satisfies Record<string, Flag>

export const enableFlags = {
  path: flag.string('Where to put it. Default: the name of its type.'),
  ...tuneFlags,
  'plugin-name': flag.string('Name of the engine in the catalog, where the type is plugin.'),
  'force-no-cache': flag.bool('Read from the store every time.'),
  local: flag.bool('Keep it out of replication.'),
  'seal-wrap': flag.bool('Wrap its critical values by the seal as well.'),
  'external-entropy-access': flag.bool('Let it use the randomness of the seal.', { hidden: true }),
} satisfies Record<string, Flag>

/** The fields that live in `config`; the others are fields of the mount itself. */
const CONFIG = [
  'default-lease-ttl',
  'max-lease-ttl',
  'audit-non-hmac-request-keys',
  'audit-non-hmac-response-keys',
  'listing-visibility',
  'passthrough-request-headers',
  'allowed-response-headers',
  'force-no-cache',
  'token-type',
] as const
const MOUNT = [
  'local',
  'seal-wrap',
  'external-entropy-access',
  'plugin-name',
  'plugin-version',
] as const

type Given = { readonly flags: object; readonly given: ReadonlySet<string> }

/** What `tune` sends: what was typed and nothing else, so that the rest stays. */
export function tuneBody({ flags, given }: Given): JsonObject {
  const names = [...CONFIG, 'description', 'plugin-version', 'options']
  return fields(names, { flags, given })
}

/** What `enable` sends. */
export function enableBody(type: string, { flags, given }: Given): JsonObject {
  const values = flags as JsonObject
  const options = given.has('options') ? { options: values['options'] } : {}
  return {
    type,
    description: values['description'] ?? '',
    config: fields(CONFIG, { flags, given }),
    ...fields(MOUNT, { flags, given }),
    ...options,
  }
}

function fields(names: readonly string[], { flags, given }: Given): JsonObject {
  const values = flags as JsonObject
  const body: JsonObject = {}
  for (const name of names) {
    if (!given.has(name)) continue
    body[name.replaceAll('-', '_')] = name.endsWith('-ttl')
      ? ttl(Number(values[name]))
      : values[name]
  }
  return body
}

/** -1 is the word for "as the server says"; 0 keeps what is set. */
function ttl(seconds: number): string {
  if (seconds < 0) return 'system'
  return seconds === 0 ? '' : `${seconds}s`
}

type At = Pick<Context, 'out' | 'settings'>
type Listing = { readonly heads: readonly string[]; row(path: string, mount: JsonObject): string[] }

/** Mounts as a table, or as the map the server gave. */
export function showMounts(at: At, mounts: JsonObject, listing: Listing): void {
  const { field } = at.settings
  if (field !== undefined) return showField(at, mounts[field], field)
  if (!at.out.tabular) return at.out.structured(inByteOrder(mounts))
  const rows = sortedKeys(mounts).map((path) => {
    const mount = mounts[path]
    return listing.row(path, isObject(mount) ? mount : {})
  })
  at.out.line(table(listing.heads, rows))
}

/** A field of a mount as a cell; what is absent is empty. */
export function cell(mount: JsonObject, key: string): string {
  const value = mount[key]
  if (isObject(value) && Object.keys(value).length === 0) return 'map[]'
  if (value === null) return key === 'options' ? 'map[]' : ''
  return value === undefined ? '' : goValue(value)
}

/** What both detailed lists say, around the one column that differs. */
export function detailedRow(path: string, mount: JsonObject, own: string): string[] {
  const config = isObject(mount['config']) ? mount['config'] : {}
  const type = cell(mount, 'type')
  const lease = (key: string) => {
    if (type === 'system' || type === 'cubbyhole') return ''
    return Number(config[key] ?? 0) === 0 ? 'system' : cell(config, key)
  }
  return [
    path,
    type,
    cell(mount, 'accessor'),
    lease('default_lease_ttl'),
    lease('max_lease_ttl'),
    own,
    mount['local'] === true ? 'local' : 'replicated',
    cell(mount, 'seal_wrap'),
    cell(mount, 'external_entropy_access'),
    cell(mount, 'options'),
    cell(mount, 'description'),
    cell(mount, 'uuid'),
    cell(mount, 'plugin_version'),
    cell(mount, 'running_plugin_version'),
    cell(mount, 'running_sha256'),
    cell(mount, 'deprecation_status'),
  ]
}

export function detailedHeads(own: string): string[] {
  const before = [
    'Path',
    'Plugin',
    'Accessor',
    'Default TTL',
    'Max TTL',
    own,
    'Replication',
    'Seal Wrap',
  ]
  const after = ['External Entropy Access', 'Options', 'Description', 'UUID', 'Version']
  return [...before, ...after, 'Running Version', 'Running SHA256', 'Deprecation Status']
}

type Move = {
  readonly what: string
  readonly from: string
  readonly to: string
  readonly prefix: string
}

const POLL_MS = 500

/** Starts a move and waits for its end. */
export async function moveMount(
  at: Pick<Context, 'api' | 'out'>,
  { what, from, to, prefix }: Move,
): Promise<void> {
  const about = `${what} ${from} to ${to}`
  const doing = `Error moving ${about}`
  const body = { from: prefix + from, to: prefix + to }
  const started = await at.api.secret({ method: 'POST', path: 'sys/remount', body, doing })
  const id = started?.data?.['migration_id']
  if (typeof id !== 'string') return at.out.line(`Success! Moved ${about}`)
  at.out.line(`Started moving ${about}, with migration ID ${id}`)
  for (;;) {
    const path = `sys/remount/status/${id}`
    const asked = `Error checking migration status of ${about}`
    const secret = await at.api.secret({ method: 'GET', path, doing: asked, aside: true })
    const info = secret?.data?.['migration_info']
    const status = isObject(info) ? info['status'] : undefined
    if (status === 'success') {
      return at.out.line(`Success! Finished moving ${about}, with migration ID ${id}`)
    }
    if (status !== 'in-progress') {
      throw new CliError(`Failure! Error encountered moving ${about}, with migration ID ${id}`, {
        exit: 2,
      })
    }
    await sleep(POLL_MS)
  }
}
