/** Random numbers that come again with the same seed. */

export type Seeded = {
  readonly seed: number
  /** In [0, 1). */
  next(): number
  /** An integer in [0, below). */
  below(limit: number): number
  pick<T>(from: readonly T[]): T
}

/** mulberry32: small, fast, and good enough to choose what to do next. */
export function seeded(seed: number): Seeded {
  let state = seed >>> 0
  const next = () => {
    state = (state + 0x6d2b79f5) >>> 0
    let mixed = Math.imul(state ^ (state >>> 15), state | 1)
    mixed ^= mixed + Math.imul(mixed ^ (mixed >>> 7), mixed | 61)
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 2 ** 32
  }
  const below = (limit: number) => Math.floor(next() * limit)
  return { seed, next, below, pick: (from) => from[below(from.length)]! }
}

/** The seed of COFFER_SEED, or a new one. */
export function freshSeed(): number {
  const given = Number(process.env['COFFER_SEED'])
  return Number.isInteger(given) && given > 0 ? given : Math.floor(Math.random() * 2 ** 31)
}
