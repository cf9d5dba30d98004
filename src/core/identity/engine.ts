/**
 * `identity/`: who is behind the tokens. People and machines log in through several mounts; here they
 * are one entity each, with policies of their own and of the groups they are in.
 */
import { defineEngine, type Engine } from '../../kit/engine.ts'
import { type Core } from '../core.ts'
import { entityEndpoints } from './entity-endpoints.ts'

export function identityEngine(core: Core): Engine {
  return defineEngine({
    type: 'identity',
    help: 'Entities, their aliases and groups.',
    endpoints: [...entityEndpoints(core)],
  })
}
