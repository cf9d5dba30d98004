/** Where the RADIUS server is, and what tokens a login gives: one for the mount. */
import {
  applyTokenFields,
  canonicalPolicies,
  endpoint,
  type EntryStore,
  refuse,
  shownRoleTokens,
  t,
  TOKEN_SETTINGS,
  tokenFields,
  type TokenSettings,
} from '../../kit/kit.ts'
import { VALUE_BYTES_MAX } from './packet.ts'

type Own = {
  host: string
  port: number
  secret: string
  unregistered_user_policies: string[]
  dial_timeout: number
  read_timeout: number
  nas_port: number
  nas_identifier: string
  require_message_authenticator: boolean
}

/** Entry `config`. */
export type Config = TokenSettings & Own

const NEW: Config = {
  ...TOKEN_SETTINGS,
  host: '',
  port: 1812,
  secret: '',
  unregistered_user_policies: [],
  dial_timeout: 10,
  read_timeout: 10,
  nas_port: 10,
  nas_identifier: '',
  require_message_authenticator: true,
}
const OWN = Object.keys(NEW).filter((name) => !(name in TOKEN_SETTINGS)) as (keyof Own)[]
const KEY = 'config'

export const readConfig = (store: EntryStore) => store.get<Config>(KEY)

export const configEndpoint = endpoint('config', {
  help: 'Where the RADIUS server is, and what tokens a login gives.',
  fields: {
    host: t.string({ help: 'Name or address of the server.' }),
    port: t.int({ help: 'Its port; 1812 unless set.', clear: true }),
    secret: t.string({ help: 'What is shared with the server.', sensitive: true }),
    unregistered_user_policies: t.list({
      help: 'Policies of users who are not known here; without any, they are refused.',
    }),
    dial_timeout: t.duration({ help: 'To find its address; 10 s unless set.', clear: true }),
    read_timeout: t.duration({ help: 'For its answer; 10 s unless set.', clear: true }),
    nas_port: t.int({ help: 'NAS-Port of the questions; 10 unless set.', clear: true }),
    nas_identifier: t.string({ help: 'NAS-Identifier of the questions.' }),
    require_message_authenticator: t.bool({
      help: 'Take only answers with a Message-Authenticator, as nobody can forge; true unless set.',
      clear: true,
    }),
    ...tokenFields,
  },
  exists: async ({ store }) => (await readConfig(store)) !== undefined,
  async read({ store }) {
    const config = await readConfig(store)
    if (!config) return undefined
    const shown = OWN.filter((name) => name !== 'secret').map((name) => [name, config[name]])
    return { ...(Object.fromEntries(shown) as object), ...shownRoleTokens(config) }
  },
  async write({ data, store }) {
    const before = (await readConfig(store)) ?? NEW
    const given = OWN.map((name) => [name, data[name] ?? before[name]] as const)
    const own = Object.fromEntries(given) as Own
    own.unregistered_user_policies = canonicalPolicies(own.unregistered_user_policies)
    check(own)
    store.put(KEY, { ...applyTokenFields(before, data), ...own })
    return undefined
  },
  example: { host: 'radius.example.com', secret: 'shared-with-the-server' },
})

function check(own: Own): void {
  if (own.host === '') refuse('config parameter `host` cannot be empty')
  if (own.secret === '') refuse('config parameter `secret` cannot be empty')
  if (own.port < 1 || own.port > 65_535) refuse("'port' must be from 1 to 65535")
  if (own.nas_port < 0 || own.nas_port > 0xffff_ffff) refuse("'nas_port' must fit 32 bits")
  if (Buffer.byteLength(own.nas_identifier) > VALUE_BYTES_MAX)
    refuse("'nas_identifier' is too long")
  if (own.dial_timeout < 1 || own.read_timeout < 1) refuse('timeouts must be a second or more')
  if (own.unregistered_user_policies.includes('root')) {
    refuse('root policy cannot be granted by an auth method')
  }
}
