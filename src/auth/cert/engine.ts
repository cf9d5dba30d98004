/** Cert: logins for machines that have a TLS client certificate. */
import { defineEngine } from '../../kit/kit.ts'
import { configEndpoint } from './config.ts'
import { loginEndpoint, renewLogin } from './login.ts'
import { revocationEndpoints } from './revocation.ts'
import { roleEndpoints } from './roles.ts'

export default defineEngine({
  type: 'cert',
  class: 'auth',
  help: 'Logins with a TLS client certificate.',
  endpoints: [...roleEndpoints, ...revocationEndpoints, configEndpoint, loginEndpoint],
  renewLogin,
})
