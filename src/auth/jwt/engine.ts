/**
 * JWT and OIDC: logins with tokens that somebody else has signed, brought along by a machine, or
 * fetched for a person who logs in at a provider. Both types are one engine.
 */
import { defineEngine, type Engine } from '../../kit/kit.ts'
import { authUrlEndpoint } from './auth-url.ts'
import { callbackEndpoint } from './callback.ts'
import { configEndpoints } from './config.ts'
import { loginEndpoint, renewLogin } from './login.ts'
import { roleEndpoints } from './role.ts'

const method = (type: string, help: string): Engine =>
  defineEngine({
    type,
    class: 'auth',
    help,
    endpoints: [
      ...configEndpoints,
      ...roleEndpoints,
      loginEndpoint,
      authUrlEndpoint,
      callbackEndpoint,
    ],
    renewLogin,
  })

export const jwt = method('jwt', 'Logins with signed tokens, or at an OpenID provider.')
export const oidc = method('oidc', 'Logins at an OpenID provider, or with signed tokens.')
