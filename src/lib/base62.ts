/** Random letters and digits, for tokens and generated names: 5.95 bits a character. */

const ALPHABET = '0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz'
/** The largest multiple of 62 in a byte. Taking the rest of anything above would favour `0` to `7`. */
const BYTE_LIMIT = 248

/** `length` characters, every one equally likely. `random` gives that many random bytes. */
export function base62(length: number, random: (bytes: number) => Uint8Array): string {
  let text = ''
  while (text.length < length) {
    const bytes = random(length - text.length)
    if (bytes.length === 0) throw new RangeError('random source gave no bytes')
    for (const byte of bytes) if (byte < BYTE_LIMIT) text += ALPHABET[byte % 62]
  }
  return text.slice(0, length)
}
