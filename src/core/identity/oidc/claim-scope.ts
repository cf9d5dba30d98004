/**
 * Scopes: what a client may ask to be told about somebody, as a template of claims. Called claim
 * scopes here, since a scope of the barrier is something else.
 */
import { type Scope } from '../../../barrier/space.ts'
import { collection } from '../../../kit/call.ts'
import { type Claims, fillTemplate, type TemplateSubject } from './template.ts'

/** Entry `identity-oidc/scope/<name>`. */
export type ClaimScope = { readonly template: string; readonly description: string }

export const claimScopes = collection<ClaimScope>('identity-oidc/scope/')

/** Every request asks for it, every provider has it, and it is no scope of anyone's making. */
export const OPENID = 'openid'

/** Two scopes that were asked for together make the same claim. */
export class ScopeConflict extends Error {
  override readonly name = 'ScopeConflict'
}

/** The claims of these scopes together. One that has been deleted since claims nothing. */
export async function scopeClaims(
  scope: Scope,
  names: readonly string[],
  subject: TemplateSubject,
): Promise<Claims> {
  const claims = new Map<string, unknown>()
  for (const name of names) {
    const found = await claimScopes.get(scope, name)
    if (!found) continue
    for (const [claim, value] of Object.entries(fillTemplate(found.template, subject))) {
      if (claims.has(claim)) throw new ScopeConflict()
      claims.set(claim, value)
    }
  }
  return Object.fromEntries(claims)
}
