/** `oidc/provider`: providers, and what clients are told of one (OpenID Connect Discovery). */
import { type Scope } from '../../../barrier/space.ts'
import { type Call } from '../../../kit/call.ts'
import { type Endpoint, endpoint } from '../../../kit/engine.ts'
import { refuse } from '../../../kit/failure.ts'
import { type Reply, warn } from '../../../kit/reply.ts'
import { t } from '../../../schema/field.ts'
import { type Core } from '../../core.ts'
import { scopeOf } from '../../turn.ts'
import { claimScopes, OPENID } from './claim-scope.ts'
import { allClients } from './client.ts'
import { checkIssuer, EXPLICIT_ISSUER, issuerAt } from './issuer.ts'
import { discoveryReply, jwksReply, keysNamed } from './jwks.ts'
import {
  allProviders,
  DEFAULT_PROVIDER,
  findProvider,
  isFor,
  type Provider,
  removeProvider,
  saveProvider,
} from './provider.ts'
import { ALGORITHMS } from './signing.ts'
import { checkTemplate } from './template.ts'

const name = t.name({ help: 'Name of the provider.' })

const fields = {
  name,
  issuer: t.string({
    help: 'Scheme, host and port that the `iss` claim begins with; empty = api_addr.',
    default: '',
    clear: true,
  }),
  allowed_client_ids: t.list({
    help: 'Ids of the clients it is for; * = all of them.',
    default: [],
    clear: true,
  }),
  scopes_supported: t.list({ help: 'Scopes that may be asked for.', default: [], clear: true }),
}

type ProviderCall = Call<{
  name: string
  issuer: string
  allowed_client_ids: string[]
  scopes_supported: string[]
}>

/** The issuer of a provider, which is where its endpoints are too. */
export function providerIssuer(
  core: Core,
  call: Call<never>,
  { name: ofName, issuer }: { name: string; issuer: string },
): string {
  return `${issuerAt(core, call, issuer)}/provider/${ofName}`
}

export function providerEndpoints(core: Core): Endpoint[] {
  const shown = (call: Call<never>, ofName: string, provider: Provider) => ({
    issuer: providerIssuer(core, call, { name: ofName, issuer: provider.issuer }),
    allowed_client_ids: provider.allowed_client_ids,
    scopes_supported: provider.scopes_supported,
  })
  return [
    endpoint('oidc/provider', {
      help: 'All providers, or those that are for a client.',
      fields: {
        allowed_client_id: t.string({ help: 'Id of the client.', default: '', clear: true }),
      },
      async list(call) {
        const id = call.data.allowed_client_id
        const all = (await allProviders(scopeOf(call as never))).filter(
          ({ provider }) => id === '' || isFor(provider, id),
        )
        const infos = all.map((each) => [each.name, shown(call as never, each.name, each.provider)])
        return { keys: all.map((each) => each.name), key_info: Object.fromEntries(infos) }
      },
    }),
    endpoint('oidc/provider/:name', {
      help: 'An issuer of ID tokens for clients.',
      fields,
      async exists(call) {
        return (await findProvider(scopeOf(call as never), call.data.name)) !== undefined
      },
      async read(call) {
        const provider = await findProvider(scopeOf(call as never), call.data.name)
        return provider && shown(call as never, call.data.name, provider)
      },
      write: writeProvider,
      delete(call) {
        if (call.data.name === DEFAULT_PROVIDER) {
          refuse(`deletion of OIDC provider "${DEFAULT_PROVIDER}" not allowed`)
        }
        removeProvider(scopeOf(call as never), call.data.name)
        return undefined
      },
      example: { allowed_client_ids: ['*'], scopes_supported: ['groups'] },
    }),
    ...publicEndpoints(core),
  ]
}

async function writeProvider(call: ProviderCall) {
  const { data, given } = call
  const scope = scopeOf(call as never)
  const stored = await findProvider(scope, data.name)
  const provider: Provider = {
    issuer: stored && !given.has('issuer') ? stored.issuer : data.issuer,
    allowed_client_ids: once(
      stored && !given.has('allowed_client_ids')
        ? stored.allowed_client_ids
        : data.allowed_client_ids,
    ),
    scopes_supported: once(
      stored && !given.has('scopes_supported') ? stored.scopes_supported : data.scopes_supported,
    ),
  }
  checkIssuer(provider.issuer)
  const warnings = [
    ...(given.has('issuer') && data.issuer !== '' ? [EXPLICIT_ISSUER] : []),
    ...(await conflicts(scope, provider.scopes_supported)),
  ]
  saveProvider(scope, data.name, provider)
  return warnings.length > 0 ? warn(warnings) : undefined
}

const once = (names: readonly string[]) => [...new Set(names)]

/** Every scope must exist. Two that make one claim cannot be asked for together. */
async function conflicts(scope: Scope, names: readonly string[]): Promise<string[]> {
  const warnings: string[] = []
  const makers = new Map<string, string>()
  for (const scopeName of names) {
    const found = await claimScopes.get(scope, scopeName)
    if (!found) return refuse(`scope ${JSON.stringify(scopeName)} does not exist`)
    for (const claim of checkTemplate(found.template)) {
      const other = makers.get(claim)
      if (other === undefined) makers.set(claim, scopeName)
      else {
        warnings.push(
          `Found scope templates with conflicting top-level keys: conflict ${JSON.stringify(claim)} ` +
            `in scopes ${JSON.stringify(scopeName)}, ${JSON.stringify(other)}. This may result in ` +
            'an error if the scopes are requested in an OIDC Authentication Request.',
        )
      }
    }
  }
  return warnings
}

function publicEndpoints(core: Core): Endpoint[] {
  return [
    endpoint('oidc/provider/:name/.well-known/openid-configuration', {
      help: 'What clients of a provider need to know (OpenID Connect Discovery).',
      access: 'public',
      fields: { name },
      async read(call) {
        const provider = await findProvider(scopeOf(call as never), call.data.name)
        if (!provider) return undefined
        const issuer = providerIssuer(core, call as never, {
          name: call.data.name,
          issuer: provider.issuer,
        })
        return discoveryReply(discovery(issuer, provider))
      },
    }),
    endpoint('oidc/provider/:name/.well-known/keys', {
      help: 'The keys that ID tokens of a provider are verified with (RFC 7517).',
      access: 'public',
      fields: { name },
      read: readKeys,
    }),
  ]
}

function discovery(issuer: string, provider: Provider): Record<string, unknown> {
  return {
    issuer,
    jwks_uri: `${issuer}/.well-known/keys`,
    // People log in and consent on a page; the page asks the API in their name.
    authorization_endpoint: `${issuer.replace('/v1/', '/ui/vault/')}/authorize`,
    token_endpoint: `${issuer}/token`,
    userinfo_endpoint: `${issuer}/userinfo`,
    request_parameter_supported: false,
    request_uri_parameter_supported: false,
    id_token_signing_alg_values_supported: ALGORITHMS,
    response_types_supported: ['code'],
    scopes_supported: [...provider.scopes_supported, OPENID],
    claims_supported: [],
    subject_types_supported: ['public'],
    grant_types_supported: ['authorization_code'],
    token_endpoint_auth_methods_supported: ['none', 'client_secret_basic', 'client_secret_post'],
    code_challenge_methods_supported: ['plain', 'S256'],
  }
}

async function readKeys(call: Call<{ name: string }>): Promise<Reply | undefined> {
  const scope = scopeOf(call as never)
  const provider = await findProvider(scope, call.data.name)
  if (!provider) return undefined
  const clients = (await allClients(scope)).filter(({ client }) =>
    isFor(provider, client.client_id),
  )
  const keys = await keysNamed(
    scope,
    clients.map(({ client }) => client.key),
  )
  return jwksReply(keys, call.now)
}
