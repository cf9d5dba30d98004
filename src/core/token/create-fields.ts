/** What a new token may be asked to be. */
import { type Call } from '../../kit/call.ts'
import { refuse } from '../../kit/failure.ts'
import { t, type Parsed } from '../../schema/field.ts'
import { policyNames } from './policy-names.ts'
import { type Role } from './role.ts'

const clear = true

export const createFields = {
  display_name: t.string({ help: 'A name for the token, shown behind "token-".' }),
  entity_alias: t.string({ help: 'Alias of the entity the token stands for; only with a role.' }),
  explicit_max_ttl: t.duration({ help: 'A lifetime no renewal goes past.', default: 0, clear }),
  id: t.string({ help: 'The token itself, chosen by the caller. Needs sudo.', sensitive: true }),
  lease: t.duration({ help: 'Use ttl.', deprecated: true, clear }),
  meta: t.pairs({ help: 'Facts to keep with the token.' }),
  no_default_policy: t.bool({ help: 'Leave the default policy out.', default: false, clear }),
  no_parent: t.bool({ help: 'Make an orphan. Needs sudo.', default: false, clear }),
  num_uses: t.int({ help: 'How often it may be used; 0 = always.', default: 0, clear }),
  period: t.duration({ help: 'Renewable for ever, by this much. Needs sudo.', default: 0, clear }),
  policies: t.list({ help: "Its policies; without them, the parent's.", clear }),
  renewable: t.bool({ help: 'Whether it can be renewed.', default: true, clear }),
  ttl: t.duration({ help: 'How long it lives.', clear }),
  type: t.string({ help: 'service or batch.', default: '', clear }),
}

export type CreateCall = Call<Parsed<typeof createFields>>

/** The policies named, or undefined when none are. `[""]` names some: none. */
export function askedPolicies({ data, body }: CreateCall): string[] | undefined {
  const raw = body['policies']
  if (raw === undefined || raw === null || raw === '') return undefined
  if (Array.isArray(raw) && raw.length === 0) return undefined
  return policyNames(data.policies ?? [])
}

/** What the role fixes, else what was asked for, else what the role falls back to. */
export function typeOf({ data }: CreateCall, role: Role | undefined): 'service' | 'batch' {
  const fixed = role?.token_type
  const fallback = fixed === 'default-batch' ? 'batch' : 'service'
  const type = fixed === 'service' || fixed === 'batch' ? fixed : data.type || fallback
  if (type !== 'service' && type !== 'batch') refuse("invalid 'token_type' value")
  if (type === 'batch') refuseForBatch(data, role)
  return type
}

/** What nothing is stored of cannot be counted, renewed or found by an id. */
function refuseForBatch(data: CreateCall['data'], role: Role | undefined): void {
  const uses = data.num_uses || role?.token_num_uses
  const bad =
    (data.explicit_max_ttl && 'explicit_max_ttl') ||
    (uses && 'num_uses') ||
    (data.period && 'period') ||
    (data.id && 'id')
  if (bad) refuse(`batch tokens cannot have "${bad}" set`)
}

/** `token-<name>`, with what is no letter, digit or dash made a dash. */
export function displayNameOf({ data }: CreateCall): string {
  if (!data.display_name) return 'token'
  return `token-${data.display_name}`.replace(/[^a-zA-Z0-9-]/g, '-').replace(/-$/, '')
}

/** Checks the form of an id a caller has chosen. */
export function checkCustomId(id: string): void {
  if (id.startsWith('hvs.')) refuse("custom token ID cannot have the 'hvs.' prefix")
  if (id.startsWith('s.')) refuse("custom token ID cannot have the 's.' prefix")
  if (id.includes('.')) refuse("custom token ID cannot have a '.' in the value")
  // Anything else could not be sent in a header, so nobody could ever use or revoke it by its id.
  if (!/^[\x21-\x7e]+$/.test(id)) refuse('custom token ID must be printable ASCII without spaces')
}
