/** Userpass: logins for people, with a name and a password that are kept here. */
import { defineEngine } from '../../kit/kit.ts'
import { loginEndpoint, renewLogin } from './login.ts'
import { userEndpoints } from './users.ts'

export default defineEngine({
  type: 'userpass',
  class: 'auth',
  help: 'Logins for people, with a name and a password.',
  endpoints: [...userEndpoints, loginEndpoint],
  renewLogin,
})
