/**
 * Whose address a request comes from. The peer's, unless the peer is a proxy the operator trusts:
 * then the one that proxy saw, counted from the right of X-Forwarded-For, because whatever stands
 * further left was written by the client.
 */
import type { IncomingMessage } from 'node:http'
import { isIP } from 'node:net'
import { Failure } from '../kit/failure.ts'
import { cidrContains, parseCidr } from '../lib/cidr.ts'

export type ForwardedOptions = {
  xForwardedForAuthorizedAddrs?: readonly string[]
  xForwardedForHopSkips?: number
  xForwardedForRejectNotPresent?: boolean
  xForwardedForRejectNotAuthorized?: boolean
}

/** Throws a 400 when the operator asked to refuse what does not come through the proxy. */
export function forwardedAddress(request: IncomingMessage, options: ForwardedOptions): string {
  const peer = plainAddress(request.socket.remoteAddress)
  const trusted = options.xForwardedForAuthorizedAddrs ?? []
  if (trusted.length === 0) return peer
  const header = request.headers['x-forwarded-for']
  const authorized = trusted.some((cidr) => cidrContains(parseCidr(cidr), peer))
  if (header === undefined || header === '') {
    if (options.xForwardedForRejectNotPresent ?? true) refuse('missing x-forwarded-for header')
    return peer
  }
  if (!authorized) {
    if (options.xForwardedForRejectNotAuthorized ?? true) {
      refuse('client address not authorized for x-forwarded-for')
    }
    return peer
  }
  const hops = String(header)
    .split(',')
    .map((hop) => hop.trim())
  const wanted = hops[hops.length - 1 - (options.xForwardedForHopSkips ?? 0)]
  if (wanted === undefined || isIP(wanted) === 0) {
    return refuse('the x-forwarded-for header holds no such address')
  }
  return plainAddress(wanted)
}

function refuse(text: string): never {
  throw new Failure('bad_request', text)
}

/** `::ffff:127.0.0.1` is 127.0.0.1 to policies, audit and people. */
export function plainAddress(address: string | undefined): string {
  return address?.startsWith('::ffff:') ? address.slice('::ffff:'.length) : (address ?? '')
}
