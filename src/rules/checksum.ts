/**
 * The checksums that some providers put into their tokens. A right one makes a finding certain. A
 * wrong one does not make it false: tokens are cut and mistyped, so what is left is judged by the
 * same facts as any other value.
 */
import { zlib } from '../lib/node-zlib.ts'

const BASE62 = '0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz'

/** A number in base 62, six digits: 32 bits fit. */
export function base62Of(value: number): string {
  let text = ''
  for (let rest = value; rest > 0; rest = Math.floor(rest / 62)) text = BASE62[rest % 62] + text
  return text.padStart(6, '0')
}

/** GitHub and npm: the last six characters are the CRC-32 of the thirty before them, base 62. */
export function endsInBase62Crc(token: string): boolean {
  return base62Of(zlib().crc32(token.slice(-36, -6))) === token.slice(-6)
}

/** GitLab's routable tokens: seven digits in base 36, over everything before them. */
export function endsInBase36Crc(token: string): boolean {
  return zlib().crc32(token.slice(0, -7)).toString(36).padStart(7, '0') === token.slice(-7)
}

/** Atlassian: eight digits in base 16 after `=`, which is part of what is summed. */
export function endsInHexCrc(token: string): boolean {
  const sum = zlib().crc32(token.slice(0, -8)).toString(16).padStart(8, '0')
  return sum.toUpperCase() === token.slice(-8).toUpperCase()
}

/** Our own service tokens: `hvs.`, the accessor (24), base64url of 48 random bytes and the CRC. */
export function hasCofferCrc(token: string): boolean {
  const tail = Buffer.from(token.slice(28, 98), 'base64url')
  if (tail.length !== 52) return false
  const summed = Buffer.concat([Buffer.from(token.slice(4, 28)), tail.subarray(0, 48)])
  return zlib().crc32(summed) === tail.readUInt32BE(48)
}
