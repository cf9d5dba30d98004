/** The configuration of a mount: whose tokens count, and where the keys to check them are. */
import { type Call, type EntryStore, refuse, t } from '../../kit/kit.ts'
import { settingsAt, type Settings, storedSettings } from '../../kit/stored-settings.ts'
import { isObject } from '../../lib/json.ts'
import { OutboundError } from '../../lib/outbound.ts'
import { ALGORITHMS } from './algorithms.ts'
import { discover } from './discovery.ts'
import { fetchedKeys } from './fetched-keys.ts'
import { keyOfPem } from './verification-key.ts'

export type JwksPair = { jwks_url: string; jwks_ca_pem: string }

export type Config = {
  oidc_discovery_url: string
  oidc_discovery_ca_pem: string
  oidc_client_id: string
  oidc_client_secret: string
  oidc_response_mode: string
  oidc_response_types: string[]
  default_role: string
  jwks_url: string
  jwks_ca_pem: string
  jwks_pairs: JwksPair[]
  jwt_validation_pubkeys: string[]
  jwt_supported_algs: string[]
  bound_issuer: string
  provider_config: Record<string, unknown>
  namespace_in_state: boolean
}

const fields = {
  oidc_discovery_url: t.string({ help: 'The issuer, where its discovery document is.' }),
  oidc_discovery_ca_pem: t.string({ help: 'Authorities of its certificate, as PEM.' }),
  oidc_client_id: t.string({ help: 'Our id at the provider.' }),
  oidc_client_secret: t.string({ help: 'Our secret at the provider.', sensitive: true }),
  oidc_response_mode: t.string({ help: 'query or form_post.', clear: true }),
  oidc_response_types: t.list({ help: 'code, or id_token.', clear: true }),
  default_role: t.string({ help: 'Role of a login that names none.' }),
  jwks_url: t.string({ help: 'Where the keys are.' }),
  jwks_ca_pem: t.string({ help: 'Authorities of its certificate, as PEM.' }),
  jwks_pairs: t.any({ help: 'Several places of keys: a list of jwks_url and jwks_ca_pem.' }),
  jwt_validation_pubkeys: t.list({ help: 'The keys themselves, as PEM.' }),
  jwt_supported_algs: t.list({ help: `Of ${ALGORITHMS.join(', ')}.`, clear: true }),
  bound_issuer: t.string({ help: 'The issuer a token must name.' }),
  provider_config: t.map({ help: 'Kept; groups and users come from the token alone.' }),
  namespace_in_state: t.bool({ help: 'Kept; has no effect.', default: true, clear: true }),
}

function checkConfig(config: Config): void {
  const sources = [
    config.jwt_validation_pubkeys.length > 0,
    config.jwks_url !== '',
    config.jwks_pairs.length > 0,
    config.oidc_discovery_url !== '',
  ]
  if (sources.filter(Boolean).length !== 1) {
    refuse(
      "exactly one of 'jwt_validation_pubkeys', 'jwks_url' or 'oidc_discovery_url' must be set",
    )
  }
  if ((config.oidc_client_id === '') !== (config.oidc_client_secret === '')) {
    refuse("both 'oidc_client_id' and 'oidc_client_secret' must be set for OIDC")
  }
  if (config.oidc_client_id !== '' && config.oidc_discovery_url === '') {
    refuse("'oidc_discovery_url' must be set for OIDC")
  }
  if (!config.jwt_supported_algs.every((name) => ALGORITHMS.includes(name))) {
    refuse(`unsupported signing algorithm; expected some of ${ALGORITHMS.join(', ')}`)
  }
  checkResponse(config)
}

function checkResponse({ oidc_response_mode: mode, oidc_response_types: types }: Config): void {
  if (!types.every((type) => type === 'code' || type === 'id_token')) {
    refuse("invalid response_types. 'code' and 'id_token' are allowed")
  }
  if (!['', 'query', 'form_post'].includes(mode)) {
    refuse('invalid response_mode; expected query or form_post')
  }
  if (types.includes('id_token') && mode !== 'form_post') {
    refuse('query response_mode may not be used with an id_token response_type')
  }
}

function pairsOf(given: unknown): JwksPair[] {
  if (given === null || given === '') return []
  const list: unknown[] = Array.isArray(given) ? given : [given]
  return list.map((pair) => {
    const { jwks_url: url, jwks_ca_pem: pem = '' } = isObject(pair) ? pair : {}
    if (typeof url === 'string' && url !== '' && typeof pem === 'string') {
      return { jwks_url: url, jwks_ca_pem: pem }
    }
    return refuse("invalid 'jwks_pairs': expected a list of objects with jwks_url and jwks_ca_pem")
  })
}

/** What is written is tried at once: a mistake is told to who makes it, not to who logs in. */
async function accept(all: Settings, call: Call<Settings>): Promise<Settings> {
  const pairs = pairsOf(all['jwks_pairs'])
  const config = { ...all, jwks_pairs: pairs } as Config
  checkConfig(config)
  for (const pem of config.jwt_validation_pubkeys) {
    if (!keyOfPem(pem)) refuse('error parsing public key')
  }
  try {
    await call.once(['check', call.body], () => reachable(config, call.now))
  } catch (error) {
    if (!(error instanceof OutboundError)) throw error
    const what = config.oidc_discovery_url === '' ? 'jwks URL' : 'oidc discovery URL'
    refuse(`error checking ${what}: ${error.message}`)
  }
  if (Object.keys(config.provider_config).length > 0) {
    call.warn('provider_config is kept, but groups and users come from the token alone')
  }
  return { jwks_pairs: pairs }
}

async function reachable(config: Config, now: number): Promise<void> {
  for (const place of placesOf(config)) await fetchedKeys(place, now)
  if (config.oidc_discovery_url !== '') await discover(config, now)
}

/** Where keys are fetched from, but for a discovery document. */
export function placesOf(config: Config): JwksPair[] {
  const one = { jwks_url: config.jwks_url, jwks_ca_pem: config.jwks_ca_pem }
  return config.jwks_url === '' ? config.jwks_pairs : [one]
}

const UNSET = {
  oidc_response_types: [],
  jwks_pairs: [],
  jwt_validation_pubkeys: [],
  jwt_supported_algs: [],
  provider_config: {},
}

export const configEndpoints = storedSettings('config', {
  help: 'Whose tokens count, and where the keys to check them are.',
  verbs: ['read'],
  replaced: true,
  fields,
  unset: UNSET,
  accept,
  example: {
    oidc_discovery_url: 'https://accounts.example.com',
    bound_issuer: 'https://accounts.example.com',
  },
})

/** Refuses where the mount was not configured. */
export async function requireConfig(store: EntryStore): Promise<Config> {
  const stored = await settingsAt(store, 'config')
  if (!stored) return refuse('could not load configuration')
  const defaults = Object.entries(fields).map(([name, { fallback }]) => [name, fallback ?? ''])
  return { ...Object.fromEntries(defaults), ...UNSET, ...stored.settings } as Config
}
