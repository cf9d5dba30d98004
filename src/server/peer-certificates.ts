/** What a TLS client showed of itself. Node does not verify it here: who trusts what is the engine's. */
import type { IncomingMessage } from 'node:http'
// Types only: a server without TLS does not load it, which is 4 MB less.
import type { DetailedPeerCertificate, TLSSocket } from 'node:tls'

const CHAIN_MAX = 16

const isSecure = (socket: IncomingMessage['socket']): socket is TLSSocket =>
  (socket as Partial<TLSSocket>).encrypted === true

export const isTls = (request: IncomingMessage): boolean => isSecure(request.socket)

/** The client's certificate and what it sent with it, as DER; empty when it showed none. */
export function peerCertificates({ socket }: IncomingMessage): readonly Uint8Array[] {
  if (!isSecure(socket)) return []
  const chain: Uint8Array[] = []
  let next: DetailedPeerCertificate | undefined = socket.getPeerCertificate(true)
  // A self-signed certificate names itself as its issuer, for ever.
  while (next?.raw && chain.length < CHAIN_MAX && !chain.includes(next.raw)) {
    chain.push(next.raw)
    next = next.issuerCertificate
  }
  return chain
}
