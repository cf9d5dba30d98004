/**
 * Second factors of logins, as they are configured and stored, in the scope of their namespace:
 *
 *   identity-mfa/method/<id>                     a method
 *   identity-mfa/secret/<method id>/<entity id>  what an entity has enrolled: see secret.ts
 *   identity-mfa/enforcements                    who needs which method: see enforcement.ts
 */
import { type Scope } from '../../barrier/space.ts'
import { type TotpAlgorithm } from '../../crypto/totp.ts'
import { removeAll } from '../mounts.ts'
import { isId } from '../identity/name-index.ts'

export const METHOD_TYPES = ['totp', 'duo', 'okta', 'pingid'] as const
export type MethodType = (typeof METHOD_TYPES)[number]

export type TotpSettings = {
  issuer: string
  period: number
  key_size: number
  qr_size: number
  algorithm: TotpAlgorithm
  digits: number
  skew: number
  max_validation_attempts: number
}

type Common = { id: string; name: string }
export type TotpMethod = Common & TotpSettings & { type: 'totp' }
/** Kept and shown, but no answer is asked of these services: `secrets` are never shown. */
export type ForeignMethod = Common & {
  type: Exclude<MethodType, 'totp'>
  shown: Record<string, unknown>
  secrets: Record<string, string>
}
export type Method = TotpMethod | ForeignMethod

const METHODS = 'identity-mfa/method/'
export const secretsOf = (methodId: string): string => `identity-mfa/secret/${methodId}/`

export async function methodById(scope: Scope, id: string): Promise<Method | undefined> {
  return isId(id) ? scope.get<Method>(METHODS + id) : undefined
}

/** There are a handful, and only those who configure them ask for all. */
export async function allMethods(scope: Scope): Promise<Method[]> {
  const found: Method[] = []
  for (const id of await scope.list(METHODS)) {
    const method = await methodById(scope, id)
    if (method) found.push(method)
  }
  return found
}

export function saveMethod(scope: Scope, method: Method): void {
  scope.put(METHODS + method.id, method)
}

/** Removes a method and what everybody has enrolled with it. */
export async function removeMethod(scope: Scope, id: string): Promise<void> {
  scope.remove(METHODS + id)
  await removeAll(scope, secretsOf(id))
}

/** Whether a person types something in for it. */
export const usesPasscode = (method: Method): boolean =>
  method.type === 'totp' || (method.type === 'duo' && method.shown['use_passcode'] === true)
