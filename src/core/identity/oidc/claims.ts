/** The claims of a token: what this server says, and what a template may add to it. */
import { refuse } from '../../../kit/failure.ts'
import { checkTemplate, type Claims, TemplateError } from './template.ts'

/** Only this server says these; Vault's list, in its order. */
const RESERVED = [
  'iat',
  'aud',
  'exp',
  'iss',
  'sub',
  'namespace',
  'nonce',
  'auth_time',
  'at_hash',
  'c_hash',
]

/** Refuses a template that is none, or that would say what only the server says. */
export function checkClaimTemplate(template: string): void {
  let names: string[]
  try {
    names = checkTemplate(template)
  } catch (error) {
    if (error instanceof TemplateError) return refuse(error.message)
    throw error
  }
  const taken = names.find((name) => RESERVED.includes(name))
  if (taken === undefined) return
  refuse(
    `top level key ${JSON.stringify(taken)} not allowed. Restricted keys: ${RESERVED.join(', ')}`,
  )
}

/** The server's own claims come last: whatever else stands there does not stand for them. */
export function withClaims(extra: Claims, own: Claims): Claims {
  const allowed = Object.entries(extra).filter(([name]) => !RESERVED.includes(name))
  return { ...Object.fromEntries(allowed), ...own }
}
