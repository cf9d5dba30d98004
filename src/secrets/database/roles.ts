/** `roles/:name`: what a dynamic user may do, and for how long. */
import { collection, endpoint, refuse, t } from '../../kit/kit.ts'
import {
  checkCredentialConfig,
  type CredentialConfig,
  type CredentialType,
  credentialType,
} from './credential.ts'

/** Entry `role/<name>`. */
export type Role = {
  db_name: string
  creation_statements: string[]
  revocation_statements: string[]
  rollback_statements: string[]
  renew_statements: string[]
  /** Seconds; 0 = the mount's. */
  default_ttl: number
  max_ttl: number
  credential_type: CredentialType
  credential_config: CredentialConfig
}

export const roles = collection<Role>('role/')

export const credentialFields = {
  credential_type: t.string({
    help: 'password, rsa_private_key or client_certificate; password unless set.',
    clear: true,
  }),
  credential_config: t.map({ help: 'Settings of that type, e.g. password_policy, key_bits.' }),
}

const statements = (help: string) => t.texts({ help })

const fields = {
  name: t.name({ help: 'Name of the role.' }),
  db_name: t.string({ help: 'The connection it uses.', clear: true }),
  creation_statements: statements(
    'What makes a user, with {{name}}, {{password}}, {{expiration}}.',
  ),
  revocation_statements: statements('What takes it away again, if not as usual.'),
  rollback_statements: statements('What is run when a user was made only in part.'),
  renew_statements: statements('What prolongs it, if not as usual.'),
  default_ttl: t.duration({ help: "How long a user lives; the mount's default unless set." }),
  max_ttl: t.duration({ help: "How long it can be prolonged to; the mount's unless set." }),
  ...credentialFields,
}

const LISTS = [
  'creation_statements',
  'revocation_statements',
  'rollback_statements',
  'renew_statements',
] as const

export const roleEndpoints = [
  endpoint('roles', {
    help: 'The names of all roles.',
    fields: {},
    list: async ({ store, page }) => ({ keys: await roles.names(store, page) }),
  }),
  endpoint('roles/:name', {
    help: 'What a dynamic user may do, and for how long.',
    fields,
    exists: async ({ data, store }) => (await roles.get(store, data.name)) !== undefined,
    async read({ data, store }) {
      const role = await roles.get(store, data.name)
      if (!role) return undefined
      const { credential_config: config, ...rest } = role
      return { ...rest, ...(Object.keys(config).length > 0 && { credential_config: config }) }
    },
    async write({ data, store, given }) {
      const before = await roles.get(store, data.name)
      const db = data.db_name ?? before?.db_name ?? ''
      if (db === '') refuse('empty database name attribute')
      const type = credentialType(data.credential_type || before?.credential_type || 'password')
      const config = configOf(data.credential_config, before?.credential_config)
      checkCredentialConfig(type, config)
      const next: Role = {
        db_name: db,
        creation_statements: [],
        revocation_statements: [],
        rollback_statements: [],
        renew_statements: [],
        default_ttl: data.default_ttl ?? before?.default_ttl ?? 0,
        max_ttl: data.max_ttl ?? before?.max_ttl ?? 0,
        credential_type: type,
        credential_config: config,
      }
      for (const name of LISTS) next[name] = withoutEmpty(data[name] ?? before?.[name] ?? [])
      if (given.has('default_ttl') && next.max_ttl > 0 && next.default_ttl > next.max_ttl) {
        refuse('default_ttl exceeds max_ttl')
      }
      roles.put(store, data.name, next)
      return undefined
    },
    delete({ data, store }) {
      roles.remove(store, data.name)
      return undefined
    },
    example: {
      db_name: 'app-db',
      creation_statements: [
        `CREATE ROLE "{{name}}" LOGIN PASSWORD '{{password}}' VALID UNTIL '{{expiration}}'`,
        'GRANT SELECT ON ALL TABLES IN SCHEMA public TO "{{name}}"',
      ],
      default_ttl: '1h',
    },
  }),
]

export const withoutEmpty = (texts: readonly string[]) => texts.filter((text) => text.trim() !== '')

/** A map as clients send it: an object, or nothing. */
export function configOf(
  given: Record<string, unknown> | undefined,
  before: CredentialConfig | undefined,
): CredentialConfig {
  const entries = Object.entries(given ?? before ?? {}).filter(([, value]) => value !== null)
  return Object.fromEntries(entries)
}
