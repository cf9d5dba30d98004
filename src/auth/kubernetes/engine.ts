/** Kubernetes: logins for what runs in a cluster, with the tokens the cluster gives its pods. */
import { defineEngine } from '../../kit/kit.ts'
import { configEndpoint } from './config.ts'
import { loginEndpoint, renewLogin } from './login.ts'
import { roleEndpoints } from './role.ts'

export default defineEngine({
  type: 'kubernetes',
  class: 'auth',
  help: 'Logins for pods, with the tokens of their service accounts.',
  endpoints: [configEndpoint, ...roleEndpoints, loginEndpoint],
  renewLogin,
})
