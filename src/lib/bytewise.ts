/** The order of names in lists: by their UTF-8 bytes, as in Vault. */

const SURROGATE = /[\ud800-\udfff]/

/** Negative when `a` comes first. Code units are in the same order, but for surrogates. */
export function compareBytes(a: string, b: string): number {
  if (SURROGATE.test(a) || SURROGATE.test(b)) return Buffer.compare(Buffer.from(a), Buffer.from(b))
  return a < b ? -1 : a > b ? 1 : 0
}
