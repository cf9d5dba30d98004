/** The step of the pipeline that finds the token of a request, and what it may do. */
import { Failure } from '../kit/failure.ts'
import { type Awaitable, whenReady } from '../lib/awaitable.ts'
import { cidrContains, parseCidr } from '../lib/cidr.ts'
import { type Core } from './core.ts'
import { type Grants } from './grants.ts'
import { union } from './identity/standing.ts'
import { isWithin, namespaceById } from './namespaces.ts'
import { type TokenEntry } from './tokens.ts'
import { type Turn } from './turn.ts'
import { tokenInside } from './wrapping-jwt.ts'

const denied = () => new Failure('permission_denied', undefined, { wrapped: true })

const INVALID_TOKEN = '2 errors occurred:\n\t* permission denied\n\t* invalid token\n\n'

export function whoIsAsking(turn: Turn, core: Core): Awaitable<void> {
  const { request, tx } = turn
  if (!request.token || !tx) throw unknownToken(turn)
  const id = opensWrapped(turn) ? tokenInside(tx, request.token) : request.token
  return whenReady(
    whenReady(id, (own) => own && core.tokens.find(tx, own, turn.now)),
    (token) => {
      if (!token) throw unknownToken(turn)
      if (!fromAllowedAddress(token.boundCidrs, request.remoteAddress)) throw denied()
      return whenReady(namespaceById(tx, token.namespace?.id), (tokenNs) => {
        // A token acts where it belongs and below; that a namespace is beside it is nothing it learns.
        if (!tokenNs || !isWithin(turn.ns, tokenNs)) throw denied()
        turn.token = token
        turn.tokenNs = tokenNs
        return whenReady(core.grantsOf(tx, token), (grants) => asCaller(turn, token, grants))
      })
    },
  )
}

function asCaller(turn: Turn, token: TokenEntry, grants: Grants): void {
  const { acl, identityPolicies, entityId } = grants
  turn.acl = acl
  turn.identityPolicies = identityPolicies
  turn.caller = {
    tokenUid: token.uid,
    accessor: token.accessor,
    displayName: token.displayName,
    policies: union(token.policies, identityPolicies),
    metadata: token.meta ?? {},
    entityId,
    root: acl.root,
  }
}

const opensWrapped = ({ path }: Turn) =>
  path === 'sys/wrapping/unwrap' || path === 'sys/wrapping/rewrap'

/** A wrapping token that was opened by someone else must not look like a mistyped token. */
function unknownToken(turn: Turn): Failure {
  const { request } = turn
  const opens = opensWrapped(turn)
  const own = request.token && (request.data['token'] ?? request.token) === request.token
  return opens && own
    ? new Failure('bad_request', 'wrapping token is not valid or does not exist')
    : new Failure('permission_denied', INVALID_TOKEN)
}

export function fromAllowedAddress(cidrs: readonly string[], address: string): boolean {
  return cidrs.length === 0 || cidrs.some((cidr) => cidrContains(parseCidr(cidr), address))
}
