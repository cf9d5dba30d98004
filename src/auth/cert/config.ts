/** The settings of the mount. */
import { endpoint, type EntryStore, t } from '../../kit/kit.ts'

export type Config = {
  disable_binding: boolean
  enable_identity_alias_metadata: boolean
  ocsp_cache_size: number
  role_cache_size: number
}

const KEY = 'config'
const DEFAULTS: Config = {
  disable_binding: false,
  enable_identity_alias_metadata: false,
  ocsp_cache_size: 100,
  role_cache_size: 200,
}

export async function readConfig(store: EntryStore): Promise<Config> {
  return (await store.get<Config>(KEY)) ?? DEFAULTS
}

export const configEndpoint = endpoint('config', {
  help: 'Settings of the method.',
  fields: {
    disable_binding: t.bool({
      help: 'Let a token be renewed without the certificate it was made with.',
      clear: true,
    }),
    enable_identity_alias_metadata: t.bool({
      help: "Keep the tokens' metadata with the alias too.",
      clear: true,
    }),
    ocsp_cache_size: t.int({ help: 'Kept; OCSP is not asked.', clear: true }),
    role_cache_size: t.int({ help: 'Kept; roles are cached without it.', clear: true }),
  },
  async read({ store }) {
    return { ...(await readConfig(store)) }
  },
  async write({ data, store }) {
    const before = await readConfig(store)
    const names = Object.keys(DEFAULTS) as (keyof Config)[]
    store.put(KEY, Object.fromEntries(names.map((name) => [name, data[name] ?? before[name]])))
    return undefined
  },
  example: { enable_identity_alias_metadata: true },
})
