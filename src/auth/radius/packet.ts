/**
 * RADIUS packets of a password check (RFC 2865), with the Message-Authenticator of RFC 3579:
 *
 *     0 code | 1 identifier | 2 length (2) | 4 authenticator (16) | 20 attributes
 *     attribute: type | length, with these two | value
 *
 * MD5 is what the protocol has. The Response Authenticator alone can be forged by somebody on the
 * way (CVE-2024-3596, "Blast-RADIUS"); the Message-Authenticator, an HMAC, cannot.
 */
import { createHash, createHmac, timingSafeEqual } from 'node:crypto'

export const CODE = { request: 1, accept: 2, reject: 3, challenge: 11 } as const
const ATTRIBUTE = {
  userName: 1,
  userPassword: 2,
  nasPort: 5,
  nasIdentifier: 32,
  messageAuthenticator: 80,
} as const

const HEADER_BYTES = 20
const AUTHENTICATOR_BYTES = 16
const PACKET_BYTES_MAX = 4096
export const VALUE_BYTES_MAX = 253
export const PASSWORD_BYTES_MAX = 128

export type AccessRequest = {
  readonly identifier: number
  /** AUTHENTICATOR_BYTES of randomness, new for each request. */
  readonly authenticator: Uint8Array
  readonly username: string
  readonly password: string
  readonly nasPort: number
  /** Left out when empty. */
  readonly nasIdentifier: string
}

/** The bytes of a request. The Message-Authenticator comes first, as RFC 3579's successor asks. */
export function encodeRequest(request: AccessRequest, secret: string): Buffer {
  const port = Buffer.alloc(4)
  port.writeUInt32BE(request.nasPort)
  const attributes = Buffer.concat([
    attribute(ATTRIBUTE.messageAuthenticator, Buffer.alloc(AUTHENTICATOR_BYTES)),
    attribute(ATTRIBUTE.userName, Buffer.from(request.username)),
    attribute(ATTRIBUTE.userPassword, hidePassword(request, secret)),
    attribute(ATTRIBUTE.nasPort, port),
    ...(request.nasIdentifier === ''
      ? []
      : [attribute(ATTRIBUTE.nasIdentifier, Buffer.from(request.nasIdentifier))]),
  ])
  const header = Buffer.alloc(HEADER_BYTES)
  header.writeUInt8(CODE.request, 0)
  header.writeUInt8(request.identifier, 1)
  header.writeUInt16BE(HEADER_BYTES + attributes.length, 2)
  header.set(request.authenticator, 4)
  const packet = Buffer.concat([header, attributes])
  packet.set(createHmac('md5', secret).update(packet).digest(), HEADER_BYTES + 2)
  return packet
}

function attribute(type: number, value: Buffer): Buffer {
  if (value.length > VALUE_BYTES_MAX) throw new RangeError('radius: attribute is too long')
  return Buffer.concat([Buffer.from([type, value.length + 2]), value])
}

/** RFC 2865, section 5.2: each block is masked by a digest of the secret and the block before. */
function hidePassword({ password, authenticator }: AccessRequest, secret: string): Buffer {
  const plain = Buffer.from(password)
  if (plain.length > PASSWORD_BYTES_MAX) throw new RangeError('radius: password is too long')
  const blocks = Math.max(1, Math.ceil(plain.length / AUTHENTICATOR_BYTES))
  const hidden = Buffer.alloc(blocks * AUTHENTICATOR_BYTES)
  plain.copy(hidden)
  let before: Uint8Array = authenticator
  for (let at = 0; at < hidden.length; at += AUTHENTICATOR_BYTES) {
    const mask = createHash('md5').update(secret).update(before).digest()
    for (let i = 0; i < AUTHENTICATOR_BYTES; i++) hidden[at + i]! ^= mask[i]!
    before = hidden.subarray(at, at + AUTHENTICATOR_BYTES)
  }
  return hidden
}

export type AccessResponse = {
  readonly code: number
  /** Whether it proves by a Message-Authenticator that nobody has changed it. */
  readonly authenticated: boolean
}

/** What the server said; undefined for anything that is not its answer to this request. */
export function decodeResponse(
  bytes: Buffer,
  request: AccessRequest,
  secret: string,
): AccessResponse | undefined {
  if (bytes.length < HEADER_BYTES || bytes.length > PACKET_BYTES_MAX) return undefined
  const length = bytes.readUInt16BE(2)
  if (length < HEADER_BYTES || length > bytes.length) return undefined
  // What comes after the length is padding (RFC 2865, section 3).
  const packet = bytes.subarray(0, length)
  if (packet[1] !== request.identifier) return undefined
  const asked = Buffer.from(packet)
  asked.set(request.authenticator, 4)
  const digest = createHash('md5').update(asked).update(secret).digest()
  if (!timingSafeEqual(digest, packet.subarray(4, HEADER_BYTES))) return undefined
  const found = messageAuthenticators(packet)
  if (!found || found.length > 1) return undefined
  const [at] = found
  if (at === undefined) return { code: packet[0]!, authenticated: false }
  const claimed = Buffer.from(asked.subarray(at, at + AUTHENTICATOR_BYTES))
  asked.fill(0, at, at + AUTHENTICATOR_BYTES)
  const expected = createHmac('md5', secret).update(asked).digest()
  return timingSafeEqual(expected, claimed) ? { code: packet[0]!, authenticated: true } : undefined
}

/** Where their values begin; undefined when the attributes cannot be read to their end. */
function messageAuthenticators(packet: Buffer): number[] | undefined {
  const found: number[] = []
  for (let at = HEADER_BYTES; at < packet.length;) {
    const [type, length] = [packet[at], packet[at + 1] ?? 0]
    if (length < 2 || at + length > packet.length) return undefined
    if (type === ATTRIBUTE.messageAuthenticator) {
      if (length !== AUTHENTICATOR_BYTES + 2) return undefined
      found.push(at + 2)
    }
    at += length
  }
  return found
}
