/** Okta: logins with a password that Okta checks. */
import { defineEngine, endpoint, type Engine, refuse, t } from '../../kit/kit.ts'
import { outbound, type Outbound } from '../../lib/outbound.ts'
import { configEndpoints } from './config.ts'
import { loginEndpoint, renewLogin } from './login.ts'
import { memberEndpoints } from './members.ts'

/** `send` reaches Okta; tests put a server of their own there. */
export const oktaEngine = (send: Outbound): Engine =>
  defineEngine({
    type: 'okta',
    class: 'auth',
    help: 'Logins with a password that Okta checks.',
    endpoints: [
      ...configEndpoints,
      ...memberEndpoints,
      loginEndpoint(send),
      endpoint('verify/:nonce', {
        help: 'The number to compare in a push; this build sends none.',
        access: 'public',
        fields: { nonce: t.segment({ help: 'The nonce of the login.' }) },
        read: () => refuse('push with a number to compare is not supported by this build'),
      }),
    ],
    renewLogin: renewLogin(send),
  })

export default oktaEngine(outbound)
