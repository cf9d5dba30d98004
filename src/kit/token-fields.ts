/**
 * The token_* settings that every role of every auth method has: their fields, the rules between
 * them, how they are read back, and what a login passes on.
 */
import { parseCidr } from '../lib/cidr.ts'
import { t } from '../schema/field.ts'
import { refuse } from './failure.ts'
import { type TokenParams } from './reply.ts'

const TYPES = ['default', 'default-service', 'default-batch', 'service', 'batch'] as const

/** Fields to spread into a role's declaration. None has a default: absent keeps what is stored. */
export const tokenFields = {
  token_bound_cidrs: t.list({ help: 'Addresses the token may be used from.', clear: true }),
  token_explicit_max_ttl: t.duration({ help: 'A lifetime no renewal goes past.', clear: true }),
  token_max_ttl: t.duration({ help: 'The longest lifetime.', clear: true }),
  token_no_default_policy: t.bool({ help: 'Leave the default policy out.', clear: true }),
  token_num_uses: t.int({ help: 'How often the token may be used; 0 = always.', clear: true }),
  token_period: t.duration({ help: 'Renewable for ever, by this much.', clear: true }),
  token_policies: t.list({ help: 'Policies the token has.', clear: true }),
  token_ttl: t.duration({ help: 'The first lifetime.', clear: true }),
  token_type: t.string({ help: `One of ${TYPES.join(', ')}.`, clear: true }),
}

/** As they are read back: seconds as integers, lists never null. */
export type TokenSettings = {
  token_bound_cidrs: string[]
  token_explicit_max_ttl: number
  token_max_ttl: number
  token_no_default_policy: boolean
  token_num_uses: number
  token_period: number
  token_policies: string[]
  token_ttl: number
  token_type: TokenParams['type']
}

export const TOKEN_SETTINGS: TokenSettings = {
  token_bound_cidrs: [],
  token_explicit_max_ttl: 0,
  token_max_ttl: 0,
  token_no_default_policy: false,
  token_num_uses: 0,
  token_period: 0,
  token_policies: [],
  token_ttl: 0,
  token_type: 'default',
}

type Given = { [K in keyof TokenSettings]?: unknown }

/** `stored` changed by the fields that were given, with every rule between them checked. */
export function applyTokenFields(stored: TokenSettings, given: Given): TokenSettings {
  const next: Record<string, unknown> = { ...TOKEN_SETTINGS }
  for (const key of Object.keys(TOKEN_SETTINGS) as (keyof TokenSettings)[]) {
    next[key] = given[key] ?? stored[key]
  }
  if (next['token_type'] === '') next['token_type'] = 'default'
  const settings = next as TokenSettings
  checkTokenSettings(settings)
  return settings
}

function checkTokenSettings(settings: TokenSettings): void {
  settings.token_policies = canonicalPolicies(settings.token_policies)
  if (settings.token_policies.includes('root')) refuse('auth methods cannot create root tokens')
  for (const cidr of settings.token_bound_cidrs) {
    try {
      parseCidr(cidr)
    } catch {
      refuse("error parsing 'token_bound_cidrs': expected addresses or CIDR blocks")
    }
  }
  if (settings.token_num_uses < 0) refuse("'token_num_uses' cannot be negative")
  if (settings.token_max_ttl > 0 && settings.token_ttl > settings.token_max_ttl) {
    refuse("'token_ttl' cannot be greater than 'token_max_ttl'")
  }
  if (!(TYPES as readonly string[]).includes(settings.token_type)) {
    refuse(`invalid 'token_type' value ${JSON.stringify(settings.token_type)}`)
  }
  if (settings.token_type === 'batch') {
    if (settings.token_num_uses > 0) {
      refuse("'token_type' cannot be 'batch' when set to generate tokens with limited use count")
    }
    if (settings.token_period > 0) {
      refuse("'token_type' cannot be 'batch' when set to generate periodic tokens")
    }
  }
}

/** Trimmed, lower-cased, deduplicated and sorted: one spelling for each policy. */
export function canonicalPolicies(names: readonly string[]): string[] {
  const clean = names.map((name) => name.normalize('NFKC').trim().toLowerCase())
  return [...new Set(clean.filter((name) => name !== ''))].sort()
}

/** What a login asks of core, from the settings of its role. */
export function tokenParams(settings: TokenSettings): TokenParams {
  return {
    policies: settings.token_policies,
    ttlSeconds: settings.token_ttl,
    maxTtlSeconds: settings.token_max_ttl,
    explicitMaxTtlSeconds: settings.token_explicit_max_ttl,
    periodSeconds: settings.token_period,
    numUses: settings.token_num_uses,
    noDefaultPolicy: settings.token_no_default_policy,
    type: settings.token_type,
    boundCidrs: settings.token_bound_cidrs,
  }
}
