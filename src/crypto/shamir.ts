/**
 * Splits a key among people so that any `threshold` of them restore it and fewer learn nothing.
 *
 *   share:  y[0] y[1] … y[n-1]  x        Vault's form: one y per byte of the secret, then the point
 */
import { invert, multiply } from './shamir-field.ts'

/** The shares or numbers given make no sense; the text holds no part of a share. */
export class ShamirError extends Error {
  override readonly name = 'ShamirError'
}

const POINTS_MAX = 255

export type SplitOptions = {
  /** How many to make, 2 to 255. */
  shares: number
  /** How many are needed, 2 to `shares`. A single share would be the secret itself. */
  threshold: number
  random: (bytes: number) => Uint8Array
}

/** Shares of one secret. Their points are random, so their order and number tell nothing. */
export function split(secret: Uint8Array, options: SplitOptions): Uint8Array[] {
  const { shares, threshold, random } = options
  if (secret.length === 0) throw new ShamirError('secret is empty')
  if (!Number.isInteger(shares) || shares < 2 || shares > POINTS_MAX) {
    throw new ShamirError(`number of shares must be 2 to ${POINTS_MAX}`)
  }
  if (!Number.isInteger(threshold) || threshold < 2 || threshold > shares) {
    throw new ShamirError('threshold must be at least 2 and at most the number of shares')
  }
  const points = randomPoints(shares, random)
  const made = points.map((x) => {
    const share = new Uint8Array(secret.length + 1)
    share[secret.length] = x
    return share
  })
  // One polynomial per byte. The secret is its value at 0; all other coefficients are uniform,
  // the highest may be 0: excluding that would tell threshold - 1 people something.
  const degree = threshold - 1
  const coefficients = exactly(degree * secret.length, random)
  for (const [i, byte] of secret.entries()) {
    for (const [s, x] of points.entries()) {
      let y = 0
      for (let k = 0; k < degree; k++) y = multiply(y ^ (coefficients[i * degree + k] ?? 0), x)
      const share = made[s]
      if (share) share[i] = y ^ byte
    }
  }
  coefficients.fill(0)
  return made
}

/**
 * The secret of these shares. Too few or foreign shares give other bytes, not an error: only the
 * caller can tell whether the key fits. Throws ShamirError on shares that cannot belong together.
 */
export function combine(shares: readonly Uint8Array[]): Uint8Array {
  const [first] = shares
  if (first === undefined || shares.length < 2) {
    throw new ShamirError('at least two shares are needed')
  }
  const length = first.length - 1
  if (length < 1) throw new ShamirError('a share is at least two bytes')
  if (shares.some((share) => share.length !== first.length)) {
    throw new ShamirError('all shares must have the same length')
  }
  const points = shares.map((share) => share[length] ?? 0)
  if (points.includes(0)) throw new ShamirError('a share has an invalid last byte')
  if (new Set(points).size !== points.length) throw new ShamirError('a share was given twice')
  const secret = new Uint8Array(length)
  for (const [s, share] of shares.entries()) {
    const weight = weightAtZero(points, s)
    for (let i = 0; i < length; i++) secret[i] = (secret[i] ?? 0) ^ multiply(share[i] ?? 0, weight)
  }
  return secret
}

/** Lagrange's factor for one point, at 0: the product of x_j / (x_j - x_s) over all others. */
function weightAtZero(points: readonly number[], s: number): number {
  const own = points[s] ?? 0
  let weight = 1
  for (const [j, x] of points.entries()) {
    if (j !== s) weight = multiply(weight, multiply(x, invert(x ^ own)))
  }
  return weight
}

/** Distinct, non-zero, each set equally likely. Points are no secret, so branches may see them. */
function randomPoints(count: number, random: SplitOptions['random']): number[] {
  const points = new Set<number>()
  while (points.size < count) {
    for (const x of exactly(POINTS_MAX, random)) {
      if (x !== 0 && points.size < count) points.add(x)
    }
  }
  return [...points]
}

function exactly(bytes: number, random: SplitOptions['random']): Uint8Array {
  const drawn = random(bytes)
  // Missing bytes would silently be zeros, and zero coefficients are the secret in clear.
  if (drawn.length !== bytes) throw new ShamirError('random source gave a wrong number of bytes')
  return drawn
}
