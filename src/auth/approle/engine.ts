/**
 * AppRole: logins for machines. A role has an id, which may be known, and hands out secret ids,
 * which must not be; the two together are exchanged for a token.
 */
import { defineEngine } from '../../kit/kit.ts'
import { loginEndpoint, renewLogin } from './login.ts'
import { roleFieldEndpoints } from './role-fields.ts'
import { roleEndpoints } from './roles.ts'
import { secretIdEndpoints } from './secret-ids.ts'

export default defineEngine({
  type: 'approle',
  class: 'auth',
  help: 'Logins for machines, with a role id and a secret id.',
  endpoints: [...roleEndpoints, ...roleFieldEndpoints, ...secretIdEndpoints, loginEndpoint],
  renewLogin,
})
