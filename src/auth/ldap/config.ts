/** How the directory is reached and searched, and what tokens a login gives: one for the mount. */
import { X509Certificate, createPrivateKey } from 'node:crypto'
import {
  applyTokenFields,
  type Call,
  endpoint,
  type EntryStore,
  refuse,
  shownRoleTokens,
  t,
  TOKEN_SETTINGS,
  tokenFields,
  type TokenSettings,
} from '../../kit/kit.ts'
import { isTemplate } from './names.ts'

type Plain = {
  url: string
  userdn: string
  userattr: string
  userfilter: string
  groupdn: string
  groupattr: string
  groupfilter: string
  binddn: string
  upndomain: string
  discoverdn: boolean
  deny_null_bind: boolean
  starttls: boolean
  insecure_tls: boolean
  certificate: string
  tls_min_version: string
  tls_max_version: string
  case_sensitive_names: boolean
  use_token_groups: boolean
  use_pre111_group_cn_behavior: boolean
  username_as_alias: boolean
  anonymous_group_search: boolean
  dereference_aliases: string
  request_timeout: number
  connection_timeout: number
  max_page_size: number
}
type Hidden = { bindpass: string; client_tls_cert: string; client_tls_key: string }

/** Entry `config`. */
export type Config = TokenSettings & Plain & Hidden

const PLAIN: Plain = {
  url: 'ldap://127.0.0.1',
  userdn: '',
  userattr: 'cn',
  userfilter: '({{.UserAttr}}={{.Username}})',
  groupdn: '',
  groupattr: 'cn',
  groupfilter: '(|(memberUid={{.Username}})(member={{.UserDN}})(uniqueMember={{.UserDN}}))',
  binddn: '',
  upndomain: '',
  discoverdn: false,
  deny_null_bind: true,
  starttls: false,
  insecure_tls: false,
  certificate: '',
  tls_min_version: 'tls12',
  tls_max_version: 'tls12',
  case_sensitive_names: false,
  use_token_groups: false,
  use_pre111_group_cn_behavior: false,
  username_as_alias: false,
  anonymous_group_search: false,
  dereference_aliases: 'never',
  request_timeout: 90,
  connection_timeout: 30,
  max_page_size: 0,
}
export const DEFAULTS: Config = {
  ...TOKEN_SETTINGS,
  ...PLAIN,
  bindpass: '',
  client_tls_cert: '',
  client_tls_key: '',
}

const KEY = 'config'

export const readConfig = (store: EntryStore) => store.get<Config>(KEY)

const fields = {
  url: t.string({ help: 'ldap:// or ldaps:// URLs, with commas between; tried in their order.' }),
  userdn: t.string({ help: 'Where users are searched, or what their names are put before.' }),
  userattr: t.string({ help: 'The attribute that holds the name; cn unless set.' }),
  userfilter: t.string({ help: 'The filter for a user, of {{.UserAttr}} and {{.Username}}.' }),
  groupdn: t.string({ help: 'Where groups are searched.' }),
  groupattr: t.string({ help: "The attribute that holds a group's name; cn unless set." }),
  groupfilter: t.string({ help: 'The filter for groups, of {{.UserDN}} and {{.Username}}.' }),
  binddn: t.string({ help: 'Who the server is in the directory, when it searches.' }),
  bindpass: t.string({ help: 'The password of binddn.', sensitive: true }),
  upndomain: t.string({ help: 'The domain of user@domain, to bind with that instead of a DN.' }),
  discoverdn: t.bool({ help: 'Search for the user without a binddn.', clear: true }),
  deny_null_bind: t.bool({ help: 'Kept; an empty password is always refused.', clear: true }),
  starttls: t.bool({ help: 'Go over to TLS before anything is said.', clear: true }),
  insecure_tls: t.bool({ help: "Do not check the directory's certificate.", clear: true }),
  certificate: t.string({ help: 'PEM of the authorities that are trusted for the directory.' }),
  client_tls_cert: t.string({ help: 'PEM of the certificate to show to the directory.' }),
  client_tls_key: t.string({ help: 'PEM of its private key.', sensitive: true }),
  tls_min_version: t.string({ help: 'tls10 to tls13; tls12 unless set.', clear: true }),
  tls_max_version: t.string({ help: 'tls10 to tls13; tls12 unless set.', clear: true }),
  case_sensitive_names: t.bool({ help: 'Names that differ in case are others.', clear: true }),
  use_token_groups: t.bool({ help: 'Ask for tokenGroups (Active Directory).', clear: true }),
  use_pre111_group_cn_behavior: t.bool({ help: 'Take only CN in capitals.', clear: true }),
  username_as_alias: t.bool({ help: 'The alias is the typed name.', clear: true }),
  anonymous_group_search: t.bool({ help: 'Search for groups without a bind.', clear: true }),
  dereference_aliases: t.oneOf(['never', 'finding', 'searching', 'always'], {
    help: 'Kept; aliases of the directory are never followed.',
    clear: true,
  }),
  request_timeout: t.duration({ help: 'For one answer; 90 s unless set.', clear: true }),
  connection_timeout: t.duration({ help: 'For a connection; 30 s unless set.', clear: true }),
  max_page_size: t.int({ help: 'Entries in one page of a search; 0 = no pages.', clear: true }),
}

export const configEndpoint = endpoint('config', {
  help: 'How the directory is reached and searched, and what tokens a login gives.',
  fields: { ...fields, ...tokenFields },
  async read({ store }) {
    const config = (await readConfig(store)) ?? DEFAULTS
    const names = Object.keys(PLAIN) as (keyof Plain)[]
    const shown = Object.fromEntries(names.map((name) => [name, config[name]]))
    return { ...shown, ...shownRoleTokens(config) }
  },
  async write(call) {
    const { data, store } = call
    const before = (await readConfig(store)) ?? DEFAULTS
    const names = [...Object.keys(PLAIN), 'bindpass', 'client_tls_cert', 'client_tls_key']
    const given: Partial<Record<string, unknown>> = data
    const own = Object.fromEntries(
      names.map((name) => [name, given[name] ?? before[name as keyof Config]]),
    ) as Plain & Hidden
    own.userattr = own.userattr.toLowerCase()
    check(own, call)
    store.put(KEY, { ...applyTokenFields(before, data), ...own })
    return undefined
  },
  example: {
    url: 'ldaps://ldap.example.com',
    userdn: 'ou=people,dc=example,dc=com',
    groupdn: 'ou=groups,dc=example,dc=com',
  },
})

export const TLS_VERSIONS = {
  tls10: 'TLSv1',
  tls11: 'TLSv1.1',
  tls12: 'TLSv1.2',
  tls13: 'TLSv1.3',
} as const
const VERSIONS = Object.keys(TLS_VERSIONS)

function check(config: Plain & Hidden, call: Pick<Call<unknown>, 'warn'>): void {
  if (urlsOf(config).length === 0) refuse("'url' must be ldap:// or ldaps:// URLs of servers")
  for (const name of ['tls_min_version', 'tls_max_version'] as const) {
    if (!VERSIONS.includes(config[name])) refuse(`invalid '${name}'`)
  }
  if (VERSIONS.indexOf(config.tls_max_version) < VERSIONS.indexOf(config.tls_min_version)) {
    refuse("'tls_max_version' must be greater than or equal to 'tls_min_version'")
  }
  if ((config.client_tls_cert === '') !== (config.client_tls_key === '')) {
    refuse('both client_tls_cert and client_tls_key must be set')
  }
  checkPem(config)
  if (!isTemplate(config.userfilter, ['UserAttr', 'Username'])) {
    refuse("'userfilter' may hold {{.UserAttr}} and {{.Username}}")
  }
  if (!isTemplate(config.groupfilter, ['UserDN', 'Username'])) {
    refuse("'groupfilter' may hold {{.UserDN}} and {{.Username}}")
  }
  if (!/^[a-z][a-z\d-]*$/.test(config.userattr)) refuse("'userattr' must be an attribute")
  if (config.max_page_size < 0) refuse("'max_page_size' cannot be negative")
  if (config.insecure_tls)
    call.warn('anybody can stand in for a directory whose certificate is not checked')
}

function checkPem({ certificate, client_tls_cert, client_tls_key }: Plain & Hidden): void {
  for (const [name, read] of [
    ['certificate', () => certificate && new X509Certificate(certificate)],
    ['client_tls_cert', () => client_tls_cert && new X509Certificate(client_tls_cert)],
    ['client_tls_key', () => client_tls_key && createPrivateKey(client_tls_key)],
  ] as const) {
    try {
      read()
    } catch {
      refuse(`'${name}' must be PEM`)
    }
  }
}

/** Empty when one of them is none. */
export function urlsOf({ url }: Pick<Config, 'url'>): URL[] {
  const urls = url.split(',').map((text) => URL.parse(text.trim()))
  const good = urls.every((one) => one && /^ldaps?:$/.test(one.protocol) && one.hostname !== '')
  return good ? urls.filter((one) => one !== null) : []
}
