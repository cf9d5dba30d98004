/** `oidc/token` issues identity tokens, `oidc/introspect` and `oidc/.well-known` verify them. */
import { type Call } from '../../../kit/call.ts'
import { type Endpoint, endpoint } from '../../../kit/engine.ts'
import { refuse } from '../../../kit/failure.ts'
import { bare } from '../../../kit/reply.ts'
import { t } from '../../../schema/field.ts'
import { type Core } from '../../core.ts'
import { scopeOf } from '../../turn.ts'
import { withClaims } from './claims.ts'
import { identityIssuer, namespaceId } from './issuer.ts'
import { discoveryReply, jwksOf, jwksReply, roleKeys } from './jwks.ts'
import { keyForUse, mayUse, type NamedKey } from './key.ts'
import { type Role, roles } from './role.ts'
import { ALGORITHMS, kidOf, signJwt, verifyJwt } from './signing.ts'
import { subjectOf } from './subject.ts'
import { fillTemplate } from './template.ts'
import { entityById } from '../entities.ts'

export function tokenEndpoints(core: Core): Endpoint[] {
  return [
    endpoint('oidc/token/:name', {
      help: 'A token that says who the caller is.',
      fields: { name: t.name({ help: 'Name of the role.' }) },
      read: (call) => issueToken(core, call),
    }),
    endpoint('oidc/introspect', {
      help: 'Whether an identity token is good.',
      fields: {
        token: t.string({ help: 'The token.', default: '', sensitive: true }),
        client_id: t.string({ help: 'The audience it must have.', default: '', clear: true }),
      },
      async write(call) {
        const error = await troubleOf(core, call)
        return bare(error === undefined ? { active: true } : { active: false, error })
      },
    }),
    endpoint('oidc/.well-known/openid-configuration', {
      help: 'What verifiers of identity tokens need to know (OpenID Connect Discovery).',
      access: 'public',
      fields: {},
      async read(call) {
        const issuer = await identityIssuer(core, call as never)
        return discoveryReply({
          issuer,
          jwks_uri: `${issuer}/.well-known/keys`,
          response_types_supported: ['id_token'],
          subject_types_supported: ['public'],
          id_token_signing_alg_values_supported: ALGORITHMS,
        })
      },
    }),
    endpoint('oidc/.well-known/keys', {
      help: 'The keys that identity tokens are verified with (RFC 7517).',
      access: 'public',
      fields: {},
      read: async (call) => jwksReply(await roleKeys(scopeOf(call as never)), call.now),
    }),
  ]
}

async function issueToken(core: Core, call: Call<{ name: string }>) {
  const { name } = call.data
  const scope = scopeOf(call as never)
  const role = (await roles.get(scope, name)) ?? refuse(`role ${JSON.stringify(name)} not found`)
  const key = await keyOf(call, name, role)
  const entityId = call.caller?.entityId ?? ''
  if (entityId === '') refuse("no entity associated with the request's token")
  const subject = await subjectOf(scope, entityId, call.now)
  if (!subject) return refuse("no entity associated with the request's token")
  const ttl = Math.min(role.ttl, key.verification_ttl)
  const issuedAt = Math.floor(call.now / 1000)
  const claims = withClaims(fillTemplate(role.template, subject), {
    iss: await identityIssuer(core, call as never),
    sub: subject.entity.id,
    aud: role.client_id,
    iat: issuedAt,
    exp: issuedAt + ttl,
    namespace: namespaceId(call as never),
  })
  return { token: await signJwt(key.signing, claims), client_id: role.client_id, ttl }
}

async function keyOf(call: Call<unknown>, name: string, role: Role): Promise<NamedKey> {
  const key = await keyForUse(scopeOf(call as never), role.key, call)
  if (!key) return refuse(`key ${JSON.stringify(role.key)} not found`)
  if (!mayUse(key, role.client_id)) {
    refuse(
      `the key ${JSON.stringify(role.key)} does not list the client ID of the role ` +
        `${JSON.stringify(name)} as an allowed client ID`,
    )
  }
  return key
}

/** What is wrong with a token; undefined when it is good. */
async function troubleOf(
  core: Core,
  call: Call<{ token: string; client_id: string }>,
): Promise<string | undefined> {
  const { token, client_id } = call.data
  const scope = scopeOf(call as never)
  const kid = await kidOf(token)
  if (kid === undefined) return 'error parsing token: not a signed JWT with a key id'
  const key = jwksOf(await roleKeys(scope), call.now).find((jwk) => jwk.kid === kid)
  const claims = key && (await verifyJwt(token, key))
  if (!claims) return 'unable to validate the token signature'
  const trouble = (what: string) => `error validating claims: validation failed, ${what}`
  if (claims['iss'] !== (await identityIssuer(core, call as never))) {
    return trouble('invalid issuer claim (iss)')
  }
  if (client_id !== '' && claims['aud'] !== client_id) {
    return trouble('invalid audience claim (aud)')
  }
  if (typeof claims['exp'] !== 'number' || claims['exp'] * 1000 <= call.now) {
    return trouble('token is expired (exp)')
  }
  const entity =
    typeof claims['sub'] === 'string' ? await entityById(scope, claims['sub']) : undefined
  if (!entity) return 'entity was not found'
  return entity.disabled ? 'entity is disabled' : undefined
}
