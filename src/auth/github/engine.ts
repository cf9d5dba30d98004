/** GitHub: logins for members of an organization, with a token they made there. */
import { defineEngine } from '../../kit/kit.ts'
import { configEndpoints } from './config.ts'
import { loginEndpoint, renewLogin } from './login.ts'
import { mappingEndpoints } from './mappings.ts'

export default defineEngine({
  type: 'github',
  class: 'auth',
  help: 'Logins for members of an organization of GitHub.',
  endpoints: [...configEndpoints, ...mappingEndpoints, loginEndpoint],
  renewLogin,
})
