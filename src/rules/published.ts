/**
 * Values that were made to be seen: keys that stand in a provider's own documentation, and keys of
 * public programs. They are known by a hash, so that this list is not itself a list of secrets.
 */
import { crypto } from '../lib/node-crypto.ts'

/** The first 64 bits of each value's SHA-256. */
const HASHES: ReadonlySet<string> = new Set([
  '1a5d44a2dca19669', // AWS documentation
  '78314b11be2e5815', // AWS documentation
  'bc3ae723f57c6b9e', // GitHub documentation
  '58f5b51b4b236ec8', // Google Analytics
  '34d464f64a851dff', // Chrome on Linux
  '53fe277c7b483940', // Chrome on macOS
  'a6a72fb29e3985c6', // Chrome on Windows
  '731fa294d036e54f', // Telegram documentation
  '8be5d113c0871ce1', // examples of one-time passwords
  'd0720d8487947228', // the FIPS check of OpenSSL
  '6c96130f130ab0d6', // RFC 6749
  '00cf4c781dc37003', // RFC 6749
  'ca7459e2b26776de', // RFC 6749
  'b8e148545b13c78b', // RFC 6750
  'a71b359a87afde13', // the draft on MAC access tokens
  'ad71fb4165536675', // OpenID Connect Core
  '8d567eb88afff34f', // RFC 5849
  '9d03b692e941d5ac', // RFC 5849
  'bf145d9380bbe05b', // documentation of PyJWT
])

export function isPublished(value: string): boolean {
  return HASHES.has(crypto().createHash('sha256').update(value).digest('hex').slice(0, 16))
}
