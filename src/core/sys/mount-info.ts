/** A mount as the API shows it: in lists, by itself, and with the settings that are in force. */
import { COFFER_VERSION } from '../../lib/version.ts'
import { type Mount, type MountConfig, type MountEntry, shownType } from '../mounts.ts'

/** Every engine is part of this build, so there is one version of each. */
export const RUNNING_VERSION: string = `v${COFFER_VERSION}+builtin.coffer`

const DEFAULT_TOKEN_TYPE = 'default-service'

export function mountInfo(entry: MountEntry): Record<string, unknown> {
  return {
    accessor: entry.accessor,
    config: configInfo(entry),
    deprecation_status: 'supported',
    description: entry.description,
    external_entropy_access: entry.external_entropy_access,
    local: entry.local,
    options: entry.options,
    plugin_version: '',
    running_plugin_version: RUNNING_VERSION,
    running_sha256: '',
    seal_wrap: entry.seal_wrap,
    type: shownType(entry),
    uuid: entry.uuid,
  }
}

/** As stored: a lifetime of 0 is the system's. */
function configInfo({ class: kind, config }: MountEntry): MountConfig {
  return kind === 'auth'
    ? { ...config, token_type: config.token_type ?? DEFAULT_TOKEN_TYPE }
    : config
}

/** What is in force now. Settings that were never made are left out. */
export function tuneInfo({ entry, view }: Mount): Record<string, unknown> {
  const { default_lease_ttl: _, max_lease_ttl: __, user_lockout_config, ...config } = entry.config
  const lockout = user_lockout_config && {
    user_lockout_threshold: user_lockout_config['lockout_threshold'],
    user_lockout_duration: user_lockout_config['lockout_duration'],
    user_lockout_counter_reset_duration: user_lockout_config['lockout_counter_reset'],
    user_lockout_disable: user_lockout_config['lockout_disable'],
  }
  return {
    ...config,
    ...(entry.class === 'auth' && { token_type: config.token_type ?? DEFAULT_TOKEN_TYPE }),
    ...lockout,
    default_lease_ttl: view.defaultTtlSeconds,
    max_lease_ttl: view.maxTtlSeconds,
    description: entry.description,
    external_entropy_access: entry.external_entropy_access,
    ...(entry.options && Object.keys(entry.options).length > 0 && { options: entry.options }),
  }
}

/** All that someone without a token is told of a mount that is shown to everyone. */
export function publicInfo(entry: MountEntry): Record<string, unknown> {
  const { description, options } = entry
  return { type: shownType(entry), description, options }
}
