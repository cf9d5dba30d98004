/**
 * `identity/oidc/`: who somebody is here, told to others. Identity tokens say it by themselves; the
 * provider lets people log in to applications (OpenID Connect Core 1.0).
 */
import { type Endpoint } from '../../../kit/engine.ts'
import { type Core } from '../../core.ts'
import { assignmentEndpoints } from './assignments.ts'
import { authorizeEndpoints } from './authorize.ts'
import { claimScopeEndpoints } from './claim-scopes.ts'
import { clientEndpoints } from './clients.ts'
import { exchangeEndpoints } from './exchange.ts'
import { configEndpoints } from './issuer.ts'
import { keyEndpoints } from './keys.ts'
import { providerEndpoints } from './providers.ts'
import { roleEndpoints } from './roles.ts'
import { tokenEndpoints } from './tokens.ts'
import { userinfoEndpoints } from './userinfo.ts'

export function oidcEndpoints(core: Core): Endpoint[] {
  return [
    ...configEndpoints(),
    ...keyEndpoints(),
    ...roleEndpoints(),
    ...tokenEndpoints(core),
    ...assignmentEndpoints(),
    ...claimScopeEndpoints(),
    ...clientEndpoints(),
    ...providerEndpoints(core),
    ...authorizeEndpoints(core),
    ...exchangeEndpoints(core),
    ...userinfoEndpoints(),
  ]
}
