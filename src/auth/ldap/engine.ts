/** LDAP: logins for people whose passwords and groups a directory keeps. */
import { defineEngine } from '../../kit/kit.ts'
import { configEndpoint } from './config.ts'
import { loginEndpoint, renewLogin } from './login.ts'
import { mappingEndpoints } from './mappings.ts'

export default defineEngine({
  type: 'ldap',
  class: 'auth',
  help: 'Logins with the passwords and groups of a directory.',
  endpoints: [configEndpoint, ...mappingEndpoints, loginEndpoint],
  renewLogin,
})
