/** A role: which service accounts may log in with it, and what tokens they get. */
import {
  applyRoleTokens,
  collection,
  endpoint,
  type EntryStore,
  legacyTokenFields,
  refuse,
  type RoleTokens,
  shownRoleTokens,
  t,
  TOKEN_SETTINGS,
  tokenFields,
} from '../../kit/kit.ts'
import { wildcardMatch } from '../../lib/glob.ts'

type Settings = {
  bound_service_account_names: string[]
  bound_service_account_namespaces: string[]
  audience: string
  alias_name_source: AliasSource
}
type AliasSource = (typeof ALIAS_SOURCES)[number]

/** Entry `role/<lower-cased name>`. */
export type Role = RoleTokens & Settings

const ALIAS_SOURCES = ['serviceaccount_uid', 'serviceaccount_name'] as const
const NEW_ROLE: Settings = {
  bound_service_account_names: [],
  bound_service_account_namespaces: [],
  audience: '',
  alias_name_source: 'serviceaccount_uid',
}

const roles = collection<Role>('role/')

export const canonicalName = (name: string): string => name.toLowerCase()

export async function findRole(store: EntryStore, name: string): Promise<Role | undefined> {
  return await roles.get(store, canonicalName(name))
}

const name = t.name({ help: 'Name of the role; upper and lower case are the same.' })

export const roleEndpoints = [
  endpoint('role', {
    help: 'The names of all roles.',
    fields: {},
    list: async ({ store }) => ({ keys: await roles.names(store) }),
  }),
  endpoint('role/:name', {
    help: 'A role: which service accounts may log in with it, and what tokens they get.',
    fields: {
      name,
      bound_service_account_names: t.list({ help: 'Service accounts, with *; * alone is all.' }),
      bound_service_account_namespaces: t.list({ help: 'Namespaces, with *; * alone is all.' }),
      bound_service_account_namespace_selector: t.string({ help: 'Refused when given.' }),
      audience: t.string({ help: 'An audience the token must be for.' }),
      alias_name_source: t.string({
        help: `What the alias is: ${ALIAS_SOURCES.join(' or ')}.`,
        clear: true,
      }),
      ...legacyTokenFields,
      ...tokenFields,
    },
    exists: async ({ data, store }) => (await findRole(store, data.name)) !== undefined,
    async read({ data, store }) {
      const role = await findRole(store, data.name)
      if (!role) return undefined
      const { bound_service_account_names, bound_service_account_namespaces } = role
      return {
        bound_service_account_names,
        bound_service_account_namespaces,
        alias_name_source: role.alias_name_source,
        ...(role.audience !== '' && { audience: role.audience }),
        ...shownRoleTokens(role),
      }
    },
    async write({ data, store }) {
      const before = await findRole(store, data.name)
      const old: Settings = before ?? NEW_ROLE
      if (data.bound_service_account_namespace_selector) {
        refuse('bound_service_account_namespace_selector is not supported here')
      }
      roles.put(store, canonicalName(data.name), {
        ...applyRoleTokens(before ?? TOKEN_SETTINGS, data),
        bound_service_account_names: bound(
          'bound_service_account_names',
          data.bound_service_account_names ?? old.bound_service_account_names,
        ),
        bound_service_account_namespaces: bound(
          'bound_service_account_namespaces',
          data.bound_service_account_namespaces ?? old.bound_service_account_namespaces,
        ),
        audience: data.audience ?? old.audience,
        alias_name_source: source(data.alias_name_source) ?? old.alias_name_source,
      })
      return undefined
    },
    delete({ data, store }) {
      roles.remove(store, canonicalName(data.name))
      return undefined
    },
    example: {
      bound_service_account_names: ['web'],
      bound_service_account_namespaces: ['default'],
      audience: 'coffer',
      token_policies: ['web'],
    },
  }),
]

function bound(field: string, values: string[]): string[] {
  if (values.length === 0) refuse(`"${field}" can not be empty`)
  if (values.length > 1 && values.includes('*')) refuse('can not mix "*" with values')
  return values
}

/** An empty one is the default, as clients send it for what they leave open. */
function source(given: string | undefined): AliasSource | undefined {
  if (given === undefined) return undefined
  if (given === '') return NEW_ROLE.alias_name_source
  return (
    ALIAS_SOURCES.find((known) => known === given) ??
    refuse(`invalid alias_name_source, must be one of: ${ALIAS_SOURCES.join(', ')}`)
  )
}

export const isBound = (patterns: readonly string[], value: string): boolean =>
  patterns.some((pattern) => wildcardMatch(pattern, value))
