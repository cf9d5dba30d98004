/**
 * The spellings that token settings had before they were called token_*, for the auth methods old
 * enough to have them. What was set by its old name is shown under both names; a write of the new
 * name alone ends the old one.
 */
import { t } from '../schema/field.ts'
import {
  applyTokenFields,
  canonicalPolicies,
  TOKEN_SETTINGS,
  type TokenSettings,
} from './token-fields.ts'

const NEW_NAMES = {
  policies: 'token_policies',
  ttl: 'token_ttl',
  max_ttl: 'token_max_ttl',
  period: 'token_period',
  num_uses: 'token_num_uses',
  bound_cidrs: 'token_bound_cidrs',
} as const satisfies Record<string, keyof TokenSettings>

type LegacyName = keyof typeof NEW_NAMES
type Given = Partial<Record<LegacyName | keyof TokenSettings, unknown>>

/** Pick those that the method has. */
export const legacyTokenFields = {
  policies: t.list({ help: 'Use token_policies instead.', deprecated: true, clear: true }),
  ttl: t.duration({ help: 'Use token_ttl instead.', deprecated: true, clear: true }),
  max_ttl: t.duration({ help: 'Use token_max_ttl instead.', deprecated: true, clear: true }),
  period: t.duration({ help: 'Use token_period instead.', deprecated: true, clear: true }),
  num_uses: t.int({ help: 'Use token_num_uses instead.', deprecated: true, clear: true }),
  bound_cidrs: t.list({ help: 'Use token_bound_cidrs instead.', deprecated: true, clear: true }),
}

/** Token settings as a role keeps them: `legacy` has what was set by an old name. */
export type RoleTokens = TokenSettings & { legacy?: Record<string, unknown> }

/** As `applyTokenFields`, for roles that may be written by old names too. */
export function applyRoleTokens(stored: RoleTokens, given: Given): RoleTokens {
  const wanted: Given = { ...given }
  const legacy = { ...stored.legacy }
  for (const [old, name] of Object.entries(NEW_NAMES) as [LegacyName, keyof TokenSettings][]) {
    if (given[old] !== undefined) {
      wanted[name] ??= given[old]
      legacy[old] = given[old]
    } else if (given[name] !== undefined) {
      delete legacy[old]
    }
  }
  if (legacy['policies']) legacy['policies'] = canonicalPolicies(legacy['policies'] as string[])
  return { ...applyTokenFields(stored, wanted), legacy }
}

/** The token settings of a role as a read shows them. */
export function shownRoleTokens(role: RoleTokens): Record<string, unknown> {
  const names = Object.keys(TOKEN_SETTINGS) as (keyof TokenSettings)[]
  const legacy = Object.entries(role.legacy ?? {}).filter(([, value]) => !isEmpty(value))
  return Object.fromEntries([...names.map((name) => [name, role[name]] as const), ...legacy])
}

const isEmpty = (value: unknown) => value === 0 || (Array.isArray(value) && value.length === 0)
