/** RADIUS: logins for people whose passwords a RADIUS server checks. */
import { defineEngine } from '../../kit/kit.ts'
import { configEndpoint } from './config.ts'
import { loginEndpoints, renewLogin } from './login.ts'
import { userEndpoints } from './users.ts'

export default defineEngine({
  type: 'radius',
  class: 'auth',
  help: 'Logins with passwords that a RADIUS server checks.',
  endpoints: [configEndpoint, ...userEndpoints, ...loginEndpoints],
  renewLogin,
})
