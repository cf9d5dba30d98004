import { equal, match, throws } from 'node:assert/strict'
import { randomBytes } from 'node:crypto'
import { test } from 'node:test'
import { base62 } from './base62.ts'

test('base62() refuses a source without bytes instead of waiting for ever', () => {
  throws(() => base62(1, () => new Uint8Array(0)), RangeError)
})

test('base62() gives exactly the length asked for, in letters and digits', () => {
  for (const length of [0, 1, 24, 95]) {
    match(
      base62(length, (n) => randomBytes(n)),
      new RegExp(`^[0-9A-Za-z]{${length}}$`),
    )
  }
})

test('base62() draws again where a byte would favour some characters', () => {
  let next = 255
  const falling = (bytes: number) => Uint8Array.from({ length: bytes }, () => next--)
  equal(base62(3, falling), 'zyx')
  equal(next, 244)
})

test('base62() makes every character equally likely', () => {
  const counts = new Map<string, number>()
  const every = (bytes: number) => Uint8Array.from({ length: bytes }, (_, i) => i % 256)
  for (const sign of base62(248, every)) counts.set(sign, (counts.get(sign) ?? 0) + 1)
  equal(counts.size, 62)
  equal(new Set(counts.values()).size, 1)
})
