/** `auth/token/`: the tokens themselves. Its mount can be neither moved nor disabled. */
import { defineEngine, type Engine } from '../../kit/engine.ts'
import { type Core } from '../core.ts'

export function tokenEngine(_core: Core): Engine {
  return defineEngine({
    type: 'token',
    class: 'auth',
    help: 'Create, look up, renew and revoke tokens.',
    endpoints: [],
  })
}
