/**
 * The field GF(2^8) of AES (x^8 + x^4 + x^3 + x + 1), which Vault's key shares live in. No table
 * and no branch depends on a value: table look-ups have leaked shares through the cache
 * (CVE-2023-25000). JavaScript cannot promise constant time; this is as close as it comes.
 */

/** Both are bytes. Addition in the field is `^`. */
export function multiply(a: number, b: number): number {
  let product = 0
  for (let bit = 0; bit < 8; bit++) {
    // -(0 or 1) is a mask of no bits or of all bits.
    product ^= a & -((b >> bit) & 1)
    a = ((a << 1) ^ (0x11b & -(a >> 7))) & 0xff
  }
  return product
}

/** a^254, which is 1/a for all but 0, and 0 for 0. */
export function invert(a: number): number {
  let result = 1
  let power = a
  for (let bit = 1; bit < 8; bit++) {
    power = multiply(power, power)
    result = multiply(result, power)
  }
  return result
}
