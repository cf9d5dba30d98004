/** `auth/token/`: the tokens themselves. Its mount can be neither moved nor disabled. */
import { defineEngine, type Engine } from '../../kit/engine.ts'
import { type Core } from '../core.ts'
import { createEndpoints } from './create.ts'
import { lookupEndpoints } from './lookup.ts'
import { renewEndpoints } from './renew.ts'
import { revokeEndpoints } from './revoke.ts'
import { roleEndpoints } from './roles.ts'
import { upkeepEndpoints } from './tidy.ts'

export function tokenEngine(core: Core): Engine {
  return defineEngine({
    type: 'token',
    class: 'auth',
    help: 'Create, look up, renew and revoke tokens.',
    endpoints: [
      ...createEndpoints(core),
      ...lookupEndpoints(core),
      ...renewEndpoints(core),
      ...revokeEndpoints(core),
      ...roleEndpoints,
      ...upkeepEndpoints(core),
    ],
  })
}
