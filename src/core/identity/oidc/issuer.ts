/** `oidc/config`, and who issues: the address that clients reach this server at, and a path. */
import { type Scope } from '../../../barrier/space.ts'
import { type Call } from '../../../kit/call.ts'
import { type Endpoint, endpoint } from '../../../kit/engine.ts'
import { refuse } from '../../../kit/failure.ts'
import { warn } from '../../../kit/reply.ts'
import { t } from '../../../schema/field.ts'
import { type Core } from '../../core.ts'
import { scopeOf, turnOf } from '../../turn.ts'

type Config = { issuer: string }
const CONFIG = 'identity-oidc/config'

export const EXPLICIT_ISSUER =
  'If "issuer" is set explicitly, all tokens must be validated against that address, including ' +
  'those issued by secondary clusters. Setting issuer to "" will restore the default behavior of ' +
  "using the cluster's api_addr as the issuer."

/** What the `iss` of tokens begins with is an origin and nothing more. Empty = the server's own. */
export function checkIssuer(issuer: string): void {
  if (issuer === '' || isOrigin(issuer)) return
  refuse(
    'invalid issuer, which must include only a scheme, host, and optional port ' +
      '(e.g. https://example.com:8200)',
  )
}

/** Compared as text: what a parser would mend is not what the `iss` of a token will say. */
function isOrigin(text: string): boolean {
  if (!/^https?:\/\/[^\s/?#@\\]+$/.test(text)) return false
  return URL.canParse(text)
}

async function configOf(scope: Scope): Promise<Config> {
  return (await scope.get<Config>(CONFIG)) ?? { issuer: '' }
}

/** The `namespace` claim. */
export function namespaceId(call: Call<never>): string {
  return turnOf(call).ns.id
}

/** The issuer of identity tokens: `<address>/v1/<namespace>identity/oidc`. */
export async function identityIssuer(core: Core, call: Call<never>): Promise<string> {
  const { issuer } = await configOf(scopeOf(call))
  return issuerAt(core, call, issuer)
}

/** The same for an address of somebody's choice; empty = the server's own. */
export function issuerAt(core: Core, call: Call<never>, address: string): string {
  const base = (address || core.settings.apiAddr).replace(/\/+$/, '')
  return `${base}/v1/${turnOf(call).ns.path}identity/oidc`
}

export function configEndpoints(): Endpoint[] {
  return [
    endpoint('oidc/config', {
      help: 'Who issues identity tokens.',
      fields: {
        issuer: t.string({
          help: 'Scheme, host and port that the `iss` claim begins with; empty = api_addr.',
          clear: true,
        }),
      },
      read: async (call) => ({ ...(await configOf(scopeOf(call as never))) }),
      write(call) {
        const { issuer } = call.data
        if (issuer === undefined) return undefined
        checkIssuer(issuer)
        scopeOf(call as never).put(CONFIG, { issuer } satisfies Config)
        return issuer === '' ? undefined : warn([EXPLICIT_ISSUER])
      },
      example: { issuer: 'https://vault.example.com:8200' },
    }),
  ]
}
