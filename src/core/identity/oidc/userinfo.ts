/**
 * `oidc/provider/:name/userinfo`: claims about the person an access token stands for (OpenID Connect
 * Core, section 5.3; errors as RFC 6750 and Vault tell them).
 */
import { type Call } from '../../../kit/call.ts'
import { type Endpoint, endpoint } from '../../../kit/engine.ts'
import { bare, type Reply } from '../../../kit/reply.ts'
import { t } from '../../../schema/field.ts'
import { scopeOf, turnOf } from '../../turn.ts'
import { accessGrantOf } from './access-token.ts'
import { isAssigned } from './assignment.ts'
import { scopeClaims, ScopeConflict } from './claim-scope.ts'
import { withClaims } from './claims.ts'
import { clientById } from './client.ts'
import { OauthError } from './oauth-error.ts'
import { findProvider, isFor } from './provider.ts'
import { subjectOf } from './subject.ts'
import { type Claims } from './template.ts'

type UserinfoCall = Call<{ name: string }>

export function userinfoEndpoints(): Endpoint[] {
  return [
    endpoint('oidc/provider/:name/userinfo', {
      help: 'Claims about the person that the access token stands for.',
      fields: { name: t.name({ help: 'Name of the provider.' }) },
      bearer: true,
      read: answer,
      write: answer,
    }),
  ]
}

const STATUS: Readonly<Record<string, number>> = {
  invalid_request: 400,
  invalid_token: 401,
  access_denied: 403,
}

async function answer(call: UserinfoCall): Promise<Reply> {
  try {
    return bare(await userinfo(call))
  } catch (error) {
    if (!(error instanceof OauthError)) throw error
    const reply = bare(error.body, STATUS[error.code] ?? 400)
    if (error.code === 'invalid_token') {
      const words = `error="${error.code}",error_description="${error.message}"`
      reply.headers = { 'WWW-Authenticate': `Bearer ${words}` }
    }
    return reply
  }
}

/** Everything is judged anew: the client, the person and the assignment may have changed. */
async function userinfo(call: UserinfoCall): Promise<Claims> {
  const scope = scopeOf(call as never)
  const { name } = call.data
  const provider = await findProvider(scope, name)
  if (!provider) throw new OauthError('invalid_request', 'provider not found')
  const access = accessGrantOf(turnOf(call as never).token)
  // The token's own policy has let it come to this provider and to no other.
  if (!access) throw new OauthError('invalid_token', 'not an access token')
  const client = await clientById(scope, access.client_id)
  if (!client || !isFor(provider, client.client_id)) {
    throw new OauthError('access_denied', 'client is not authorized to use the provider')
  }
  const subject = await subjectOf(scope, call.caller?.entityId ?? '', call.now)
  if (!subject || subject.entity.disabled) {
    throw new OauthError('access_denied', 'identity entity associated with the request not found')
  }
  if (!(await isAssigned(scope, client.assignments, subject))) {
    throw new OauthError('access_denied', 'identity entity not authorized by client assignment')
  }
  const supported = access.scopes.filter((each) => provider.scopes_supported.includes(each))
  try {
    return withClaims(await scopeClaims(scope, supported, subject), { sub: subject.entity.id })
  } catch (error) {
    if (!(error instanceof ScopeConflict)) throw error
    throw new OauthError('invalid_request', 'conflicting claims in the scopes asked for')
  }
}
