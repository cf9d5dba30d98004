/**
 * `identity/`: who is behind the tokens. People and machines log in through several mounts; here they
 * are one entity each, with policies of their own and of the groups they are in.
 */
import { defineEngine, type Engine } from '../../kit/engine.ts'
import { type Core } from '../core.ts'
import { mfaEndpoints } from '../mfa/mfa.ts'
import { aliasEndpoints } from './alias-endpoints.ts'
import { entityEndpoints } from './entity-endpoints.ts'
import { groupAliasEndpoints } from './group-alias-endpoints.ts'
import { groupEndpoints } from './group-endpoints.ts'
import { lookupEndpoints } from './lookup.ts'
import { mergeEndpoint } from './merge.ts'
import { oidcEndpoints } from './oidc/oidc.ts'

export function identityEngine(core: Core): Engine {
  return defineEngine({
    type: 'identity',
    help: 'Entities, their aliases and groups.',
    endpoints: [
      ...entityEndpoints(core),
      mergeEndpoint,
      ...aliasEndpoints(core),
      ...groupEndpoints(core),
      ...groupAliasEndpoints(core),
      ...lookupEndpoints(core),
      ...mfaEndpoints(core),
      ...oidcEndpoints(core),
    ],
  })
}
