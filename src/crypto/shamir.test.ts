import { deepEqual, equal, notDeepEqual, ok, throws } from 'node:assert/strict'
import { createHash, randomBytes } from 'node:crypto'
import { readFileSync } from 'node:fs'
import { test } from 'node:test'
import fc from 'fast-check'
import { invert, multiply } from './shamir-field.ts'
import { combine, ShamirError, split } from './shamir.ts'

const random = (bytes: number) => randomBytes(bytes)
const secret = Buffer.from('an example key of 32 bytes, yes!')

const badOptions: [string, Partial<{ shares: number; threshold: number }>, RegExp][] = [
  ['1 share', { shares: 1, threshold: 1 }, /2 to 255/],
  ['256 shares', { shares: 256 }, /2 to 255/],
  ['half a share', { shares: 2.5 }, /2 to 255/],
  ['threshold 1', { threshold: 1 }, /at least 2/],
  ['threshold 6 of 5', { threshold: 6 }, /at most the number/],
  ['threshold NaN', { threshold: Number.NaN }, /at least 2/],
]

for (const [name, options, problem] of badOptions) {
  test(`split() refuses ${name}`, () => {
    throws(() => split(secret, { shares: 5, threshold: 3, random, ...options }), {
      name: 'ShamirError',
      message: problem,
    })
  })
}

test('split() refuses an empty secret and a short random source', () => {
  const options = { shares: 2, threshold: 2, random }
  throws(() => split(new Uint8Array(0), options), ShamirError)
  const short = (bytes: number) => randomBytes(bytes - 1)
  throws(() => split(secret, { ...options, random: short }), /wrong number of bytes/)
})

test('combine() refuses shares that cannot belong together', () => {
  const [a = new Uint8Array(), b = new Uint8Array()] = split(secret, {
    shares: 2,
    threshold: 2,
    random,
  })
  throws(() => combine([]), /at least two/)
  throws(() => combine([a]), /at least two/)
  throws(() => combine([a, a]), /given twice/)
  throws(() => combine([a, b.subarray(1)]), /same length/)
  throws(() => combine([a.subarray(32), b.subarray(32)]), /two bytes/)
  throws(() => combine([a, new Uint8Array(33)]), /invalid last byte/)
})

/** Carry-less product, then long division by the polynomial: school arithmetic, on big integers. */
function slowProduct(a: number, b: number): number {
  let product = 0n
  for (let i = 0; i < 8; i++) if ((b >> i) % 2 === 1) product ^= BigInt(a) << BigInt(i)
  for (let i = 14; i >= 8; i--) {
    if ((product >> BigInt(i)) % 2n === 1n) product ^= 0x11bn << BigInt(i - 8)
  }
  return Number(product)
}

test('multiply() gives the products of FIPS 197, section 4.2', () => {
  equal(multiply(0x57, 0x83), 0xc1)
  equal(multiply(0x57, 0x13), 0xfe)
  equal(multiply(0x02, 0x87), 0x15)
})

test('multiply() and invert() agree with slow arithmetic on every pair of bytes', () => {
  for (let a = 0; a < 256; a++) {
    for (let b = 0; b < 256; b++) equal(multiply(a, b), slowProduct(a, b))
    equal(slowProduct(a, invert(a)), a === 0 ? 0 : 1)
  }
})

test('the field is computed without tables and without branches on values', () => {
  const source = readFileSync(new URL('shamir-field.ts', import.meta.url), 'utf8')
  const code = source.replaceAll(/\/\*[^]*?\*\/|\/\/.*/g, '')
  ok(!/\bif\b|\?|&&|\|\||\[|\bwhile\b|\bswitch\b/.test(code))
})

// Points 1, 2 and 3 on the line 0x2a + 0x57 x, worked out by hand with the FIPS 197 products.
test('combine() restores from fixed shares in Vault form', () => {
  const share = (y: number, x: number) => Uint8Array.from([y, x])
  deepEqual(combine([share(0x2a ^ 0x57, 1), share(0x2a ^ 0xae, 2)]), Uint8Array.of(0x2a))
  deepEqual(combine([share(0x2a ^ 0xae, 2), share(0x2a ^ 0xf9, 3)]), Uint8Array.of(0x2a))
})

test('split() puts the point last and never uses a point twice', () => {
  const shares = split(secret, { shares: 255, threshold: 2, random })
  const points = shares.map((share) => share[32] ?? 0)
  deepEqual(
    points.toSorted((a, b) => a - b),
    Array.from({ length: 255 }, (_, i) => i + 1),
  )
  ok(shares.every((share) => share.length === 33))
})

function subsets<T>(all: readonly T[], size: number): T[][] {
  if (size === 0) return [[]]
  return all.flatMap((one, i) => subsets(all.slice(i + 1), size - 1).map((rest) => [one, ...rest]))
}

test('combine() restores from every subset of k, and from none of k - 1', () => {
  const sizes = fc
    .integer({ min: 2, max: 7 })
    .chain((n) => fc.tuple(fc.constant(n), fc.integer({ min: 2, max: n })))
  const seeded = (seed: number) => {
    let calls = 0
    return (bytes: number) =>
      createHash('shake256', { outputLength: bytes }).update(`${seed} ${calls++}`).digest()
  }
  fc.assert(
    fc.property(
      sizes,
      fc.uint8Array({ minLength: 16, maxLength: 40 }),
      fc.nat(),
      ([n, k], key, seed) => {
        const shares = split(key, { shares: n, threshold: k, random: seeded(seed) })
        for (const some of subsets(shares, k)) deepEqual(combine(some), key)
        deepEqual(combine(shares.toReversed()), key)
        if (k > 2) for (const few of subsets(shares, k - 1)) notDeepEqual(combine(few), key)
      },
    ),
  )
})

test('k - 1 shares fit every secret equally often', () => {
  // One share of a (2, 2) split at a fixed point, over all coefficients: each byte exactly once.
  for (const byte of [0, 1, 0xff]) {
    const seen = new Set<number>()
    for (let coefficient = 0; coefficient < 256; coefficient++) {
      const fixed = (bytes: number) =>
        bytes === 1
          ? Uint8Array.of(coefficient)
          : Uint8Array.from({ length: bytes }, (_, i) => i + 1)
      const [share] = split(Uint8Array.of(byte), { shares: 2, threshold: 2, random: fixed })
      seen.add(share?.[0] ?? -1)
    }
    equal(seen.size, 256)
  }
})
