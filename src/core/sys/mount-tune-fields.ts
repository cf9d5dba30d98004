/**
 * The settings of a mount: which there are, how they are read from a request, and which of them go
 * together. Enabling a mount takes them in `config`, tuning takes them as they are.
 */
import { t } from '../../schema/field.ts'
import { type Field, type FieldOptions } from '../../schema/field.ts'
import { refuse } from '../../kit/failure.ts'
import { parseDurationSeconds } from '../../lib/duration.ts'
import { type MountConfig, type MountEntry } from '../mounts.ts'
import { RUNNING_VERSION } from './mount-info.ts'

/** A text that some clients send as null when they have nothing to say. */
export function optionalText(options: FieldOptions): Field<string | undefined> {
  const field: Field<string | undefined> = t.string(options)
  return { ...field, parse: (input) => (input === null ? '' : field.parse(input)) }
}

export const configFields = {
  default_lease_ttl: optionalText({
    help: 'How long leases live: seconds, a duration, or "system".',
    clear: true,
  }),
  max_lease_ttl: optionalText({
    help: 'How long leases live at most: seconds, a duration, or "system".',
    clear: true,
  }),
  audit_non_hmac_request_keys: t.list({
    help: 'Fields of requests that the audit log shows in clear.',
    clear: true,
  }),
  audit_non_hmac_response_keys: t.list({
    help: 'Fields of responses that the audit log shows in clear.',
    clear: true,
  }),
  listing_visibility: optionalText({
    help: 'unauth: shown to people without a token. hidden or empty: not.',
    clear: true,
  }),
  passthrough_request_headers: t.list({
    help: 'Headers of requests the engine may see, beside the few that logins need.',
  }),
  allowed_response_headers: t.list({
    help: 'Kept and shown: engines of this build set only the headers of their protocols.',
  }),
  allowed_managed_keys: t.list({ help: 'Kept and shown; there are no managed keys.' }),
  delegated_auth_accessors: t.list({ help: 'Kept and shown; no engine delegates logins.' }),
  identity_token_key: optionalText({ help: 'Kept and shown; engines get no identity tokens.' }),
  token_type: optionalText({
    help: 'What tokens an auth mount issues: default-service, default-batch, service or batch.',
    clear: true,
  }),
  user_lockout_config: t.map({ help: 'When failed logins lock a user out.' }),
  plugin_version: optionalText({ help: 'There is one version of each engine.' }),
}

export type GivenConfig = { [K in keyof typeof configFields]?: unknown }

const LISTS = [
  'audit_non_hmac_request_keys',
  'audit_non_hmac_response_keys',
  'passthrough_request_headers',
  'allowed_response_headers',
  'allowed_managed_keys',
  'delegated_auth_accessors',
] as const
const VISIBILITIES = ['', 'hidden', 'unauth']
const TOKEN_TYPES = ['default-service', 'default-batch', 'service', 'batch']
const LOCKOUT_TYPES = ['userpass', 'approle', 'ldap']

/** The `config` object of an enable request, read as the tuning fields are. */
export function readConfig(config: Readonly<Record<string, unknown>>): GivenConfig {
  const given: Record<string, unknown> = {}
  for (const [name, field] of Object.entries(configFields)) {
    const value = Object.hasOwn(config, name) ? config[name] : undefined
    if (value === undefined || value === null) continue
    try {
      given[name] = field.parse(value)
    } catch (error) {
      refuse(`invalid value in config for "${name}": ${messageOf(error)}`)
    }
  }
  return given
}

const messageOf = (error: unknown) => (error instanceof Error ? error.message : 'not understood')

/** `before` with what was given; a list or text that is given empty is taken away. */
export function changeConfig(
  before: MountConfig,
  given: GivenConfig,
  mount: Pick<MountEntry, 'class' | 'type'>,
): MountConfig {
  const next: MountConfig = { ...before }
  next.default_lease_ttl = lifetime(given.default_lease_ttl, before.default_lease_ttl, 'default')
  next.max_lease_ttl = lifetime(given.max_lease_ttl, before.max_lease_ttl, 'max')
  for (const name of LISTS) {
    const list = given[name] as string[] | undefined
    if (list === undefined) continue
    if (list.length > 0) next[name] = list
    else delete next[name]
  }
  changeVisibility(next, given.listing_visibility as string | undefined)
  const key = given.identity_token_key as string | undefined
  if (key) next.identity_token_key = key
  else if (key === '') delete next.identity_token_key
  changeTokenType(next, given.token_type as string | undefined, mount)
  const lockout = given.user_lockout_config as Record<string, unknown> | undefined
  if (lockout && Object.keys(lockout).length > 0) changeLockout(next, lockout, mount)
  checkVersion(mount.type, given.plugin_version as string | undefined)
  return next
}

/** Empty keeps what was there; `system` goes back to the system's. */
function lifetime(given: unknown, before: number, which: string): number {
  if (given === undefined || given === '') return before
  if (given === 'system') return 0
  try {
    return parseDurationSeconds(given)
  } catch (error) {
    return refuse(`unable to parse ${which} lease TTL: ${messageOf(error)}, or "system"`)
  }
}

function changeVisibility(config: MountConfig, visibility: string | undefined): void {
  if (visibility === undefined) return
  if (!VISIBILITIES.includes(visibility)) refuse(`invalid listing_visibility ${visibility}`)
  if (visibility === '') delete config.listing_visibility
  else config.listing_visibility = visibility
}

function changeTokenType(
  config: MountConfig,
  given: string | undefined,
  mount: Pick<MountEntry, 'class' | 'type'>,
): void {
  if (given === undefined || given === '') return
  if (mount.class !== 'auth') refuse("'token_type' can only be modified on auth mounts")
  if (mount.type === 'token') refuse("'token_type' cannot be set for 'token' auth mounts")
  const type = given === 'default' ? 'default-service' : given
  if (!TOKEN_TYPES.includes(type)) refuse("invalid value for 'token_type'")
  config.token_type = type
}

const count = t.int({ help: '' })
const duration = t.duration({ help: '' })
const flag = t.bool({ help: '' })

/** Each setting under the names clients have for it, the first being ours. */
const LOCKOUT = [
  { names: ['lockout_threshold'], field: count },
  { names: ['lockout_duration'], field: duration },
  { names: ['lockout_counter_reset', 'lockout_counter_reset_duration'], field: duration },
  { names: ['lockout_disable', 'disable_lockout'], field: flag },
] as const

function changeLockout(
  config: MountConfig,
  given: Readonly<Record<string, unknown>>,
  mount: Pick<MountEntry, 'class' | 'type'>,
): void {
  if (mount.class !== 'auth' || !LOCKOUT_TYPES.includes(mount.type)) {
    refuse(`tuning of user lockout configuration for auth type "${mount.type}" not allowed`)
  }
  const next: Record<string, unknown> = { ...config.user_lockout_config }
  for (const { names, field } of LOCKOUT) {
    const name = names.find((each) => Object.hasOwn(given, each))
    const value = name === undefined ? undefined : given[name]
    if (value === undefined || value === null || value === '') continue
    let parsed: number | boolean | undefined
    try {
      parsed = field.parse(value)
    } catch (error) {
      refuse(`invalid value in user_lockout_config for "${name}": ${messageOf(error)}`)
    }
    if (typeof parsed === 'number' && parsed < 0) refuse(`"${name}" must not be negative`)
    next[names[0]] = parsed
  }
  config.user_lockout_config = next
}

function checkVersion(type: string, version: string | undefined): void {
  if (version === undefined || version === '' || version === RUNNING_VERSION) return
  refuse(`plugin not found in the catalog: ${type}, of which there is only ${RUNNING_VERSION}`)
}
