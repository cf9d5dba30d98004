/** Roles: what a token must say, and what its bearer is given for it. */
import { type EntryStore, refuse, type RoleTokens, t } from '../../kit/kit.ts'
import { settingsAt, type Settings, storedSettings } from '../../kit/stored-settings.ts'

/** Lists and maps are null until they are set. */
export type Role = {
  role_type: 'jwt' | 'oidc'
  user_claim: string
  user_claim_json_pointer: boolean
  bound_audiences: string[] | null
  bound_subject: string
  bound_claims: Record<string, unknown> | null
  bound_claims_type: 'string' | 'glob'
  groups_claim: string
  claim_mappings: Record<string, string> | null
  oidc_scopes: string[] | null
  allowed_redirect_uris: string[] | null
  max_age: number
  expiration_leeway: number
  not_before_leeway: number
  clock_skew_leeway: number
  verbose_oidc_logging: boolean
}

const fields = {
  role_type: t.string({ help: 'jwt or oidc.', default: 'oidc', clear: true }),
  user_claim: t.string({ help: 'Claim that names the user.', clear: true }),
  user_claim_json_pointer: t.bool({ help: 'It is a JSON pointer.', clear: true }),
  bound_audiences: t.list({ help: 'A token must be for one of these.' }),
  bound_subject: t.string({ help: 'The subject a token must have.' }),
  bound_claims: t.map({ help: 'Claims a token must have, each with a value or a list of them.' }),
  bound_claims_type: t.string({ help: 'string or glob.', default: 'string', clear: true }),
  groups_claim: t.string({ help: 'Claim with the names of groups.', clear: true }),
  claim_mappings: t.pairs({ help: 'Claims that become metadata.' }),
  oidc_scopes: t.list({ help: 'Scopes besides openid.', clear: true }),
  allowed_redirect_uris: t.list({ help: 'Where a browser may come back to.' }),
  max_age: t.duration({ help: 'How old a login at the provider may be.', clear: true }),
  expiration_leeway: t.signedDuration({
    help: 'Life of a token without exp; 0 = 150, less = none.',
    clear: true,
  }),
  not_before_leeway: t.signedDuration({
    help: 'How long before exp a token with no other time begins; 0 = 150, less = none.',
    clear: true,
  }),
  clock_skew_leeway: t.signedDuration({
    help: 'How far clocks may differ; 0 = 60, less = none.',
    clear: true,
  }),
  verbose_oidc_logging: t.bool({ help: 'Accepted; nothing more is logged.', clear: true }),
}

const RESERVED = new Set(['role'])

function checkRole(all: Settings): Settings {
  const role = all as Role & RoleTokens
  if (role.user_claim === '') refuse('a user claim must be defined on the role')
  if (role.role_type !== 'jwt' && role.role_type !== 'oidc') {
    refuse(`invalid 'role_type': expected jwt or oidc`)
  }
  if (role.bound_claims_type !== 'string' && role.bound_claims_type !== 'glob') {
    refuse(`invalid 'bound_claims_type': expected string or glob`)
  }
  const isSet = (value: object | null) => value !== null && Object.keys(value).length > 0
  const bound =
    isSet(role.bound_audiences) ||
    isSet(role.token_bound_cidrs) ||
    role.bound_subject !== '' ||
    isSet(role.bound_claims)
  if (role.role_type === 'jwt' && !bound) {
    refuse('must have at least one bound constraint when creating/updating a role')
  }
  if (role.role_type === 'oidc' && !isSet(role.allowed_redirect_uris)) {
    refuse("'allowed_redirect_uris' must be set if 'role_type' is 'oidc' or unspecified.")
  }
  checkBoundValues(role)
  checkMappings(role.claim_mappings ?? {})
  return Object.fromEntries(Object.keys(fields).map((name) => [name, all[name]]))
}

function checkBoundValues(role: Role): void {
  const glob = role.bound_claims_type === 'glob'
  const kinds = glob ? ['string'] : ['string', 'number', 'boolean']
  for (const [name, wanted] of Object.entries(role.bound_claims ?? {})) {
    const list: unknown[] = Array.isArray(wanted) ? wanted : [wanted]
    if (list.every((value) => kinds.includes(typeof value))) continue
    refuse(
      `claim ${JSON.stringify(name)} is bound to what is not ${glob ? 'a string or list of strings' : 'a value or list of values'}`,
    )
  }
}

function checkMappings(mappings: Record<string, string>): void {
  const targets = Object.values(mappings)
  for (const target of targets) {
    const name = JSON.stringify(target)
    if (RESERVED.has(target))
      refuse(`metadata key ${name} is reserved and may not be a mapping destination`)
    if (targets.filter((other) => other === target).length > 1) {
      refuse(`multiple keys are mapped to metadata key ${name}`)
    }
  }
}

export const roleEndpoints = storedSettings('role/:name', {
  help: 'A role: what a token must say, and what a login with it gives.',
  lists: ['role'],
  anyCase: true,
  toldApart: true,
  tokens: ['policies', 'ttl', 'max_ttl', 'period', 'num_uses', 'bound_cidrs'],
  fields,
  accept: checkRole,
  example: {
    role_type: 'jwt',
    user_claim: 'sub',
    bound_audiences: ['https://coffer.example.com'],
    token_policies: ['web'],
  },
})

/** The role of a name in any case, with its token settings; undefined where there is none. */
export async function findRole(
  store: EntryStore,
  name: string,
): Promise<{ role: Role; tokens: RoleTokens } | undefined> {
  // It comes out of a body: what cannot be a name is not one.
  if (name.includes('/')) return undefined
  const stored = await settingsAt(store, `role/${name.toLowerCase()}`)
  return stored?.tokens && { role: stored.settings as Role, tokens: stored.tokens }
}
