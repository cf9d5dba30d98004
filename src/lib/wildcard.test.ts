import { equal } from 'node:assert/strict'
import { test } from 'node:test'
import fc from 'fast-check'
import { wildcardMatches } from './wildcard.ts'

test('wildcardMatches() is as the regular expression says', () => {
  const letters = fc.string({ unit: fc.constantFrom('a', 'b', '*', '/', '.'), maxLength: 8 })
  fc.assert(
    fc.property(letters, letters, (pattern, text) => {
      const body = pattern
        .split('*')
        .map((part) => part.replaceAll('.', String.raw`\.`))
        .join('[^]*')
      equal(wildcardMatches(pattern, text), new RegExp(`^${body}$`).test(text))
    }),
  )
})

test('wildcardMatches() takes no long time for any pattern', () => {
  equal(wildcardMatches(`${'a*'.repeat(200)}b`, 'a'.repeat(5_000)), false)
})
