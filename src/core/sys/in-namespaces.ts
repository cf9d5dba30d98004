/**
 * What of `sys/` a namespace below the root has. Everything else is about the server as a whole and
 * is the root's: an endpoint that is not named here, a new one too, is closed to tenants.
 */
import { type Endpoint } from '../../kit/engine.ts'

/** Paths of endpoints as they are declared; each stands for all below it too. */
const OPEN = [
  'mounts',
  'auth',
  'remount',
  'policies',
  'policy',
  'capabilities',
  'capabilities-self',
  'capabilities-accessor',
  'leases',
  'renew',
  'revoke',
  'revoke-prefix',
  'revoke-force',
  'wrapping',
  'tools',
  'coffer',
  'namespaces',
  'locked-users',
  'mfa/validate',
  'internal/ui',
  'internal/specs',
  'internal/counters/tokens',
  'internal/counters/entities',
  'seal-status',
  'leader',
]

const known = new WeakMap<Endpoint, boolean>()

export function isInNamespaces(endpoint: Endpoint): boolean {
  let open = known.get(endpoint)
  if (open === undefined) {
    open = OPEN.some((path) => endpoint.path === path || endpoint.path.startsWith(`${path}/`))
    known.set(endpoint, open)
  }
  return open
}
