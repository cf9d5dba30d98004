/** `identity/mfa`: the methods of second factors, what is enrolled with them, and who needs them. */
import { type Endpoint } from '../../kit/engine.ts'
import { type Core } from '../core.ts'
import { enforcementEndpoints } from './enforcement-endpoints.ts'
import { enrolEndpoints } from './enrol-endpoints.ts'
import { methodEndpoints } from './method-endpoints.ts'

export function mfaEndpoints(core: Core): Endpoint[] {
  return [...methodEndpoints(), ...enrolEndpoints(), ...enforcementEndpoints(core)]
}
