import { equal } from 'node:assert/strict'
import { test } from 'node:test'
import fc from 'fast-check'
import { globMatch, wildcardMatch } from './glob.ts'

const table: [string, string, boolean][] = [
  ['', 'a', false],
  ['a', 'A', false],
  ['a', 'ab', false],
  ['a*b', 'axb', false],
  ['a*', 'ba', false],
  ['*a', 'ab', false],
  ['*a*', 'bbb', false],
  ['*a*b*', 'xaxbx', false],
  ['', '', true],
  ['a*b', 'a*b', true],
  ['*', '', true],
  ['**', '', true],
  ['*', 'anything', true],
  ['a*', 'a', true],
  ['a*', 'abc', true],
  ['*c', 'abc', true],
  ['*b*', 'abc', true],
  ['*a*b*', 'xa*bx', true],
]

for (const [pattern, text, expected] of table) {
  test(`globMatch() says ${expected} to '${text}' for '${pattern}'`, () => {
    equal(globMatch(pattern, text), expected)
  })
}

test('globMatch() agrees with the regular expression of the same glob', () => {
  const words = fc.string({ unit: fc.constantFrom('a', 'b', '*', '.'), maxLength: 5 })
  fc.assert(
    fc.property(words, words, (pattern, text) => {
      const [, open = '', middle = '', close = ''] = /^(\*?)([^]*?)(\*?)$/.exec(pattern) ?? []
      const source = `^${open && '[^]*'}${middle.replaceAll(/[*.]/g, String.raw`\$&`)}${close && '[^]*'}$`
      equal(globMatch(pattern, text), new RegExp(source).test(text))
    }),
    { numRuns: 1000 },
  )
})

const wildcards: [string, string, boolean][] = [
  ['', 'a', false],
  ['a', 'A', false],
  ['a*b', 'ab*', false],
  ['a*a', 'a', false],
  ['*ab*ab', 'xab', false],
  ['a*b*c', 'acb', false],
  ['*.example.com', 'example.com', false],
  ['', '', true],
  ['*', '', true],
  ['**', 'x', true],
  ['a*b', 'axxb', true],
  ['a*b*c', 'a-b-b-c', true],
  ['*.example.com', 'a.b.example.com', true],
]

test('wildcardMatch() takes stars anywhere', () => {
  for (const [pattern, text, expected] of wildcards) {
    equal(wildcardMatch(pattern, text), expected, `${pattern} ~ ${text}`)
  }
})

test('wildcardMatch() is what a regular expression says', () => {
  const word = fc.string({ unit: fc.constantFrom('a', 'b', '*'), maxLength: 8 })
  const text = fc.string({ unit: fc.constantFrom('a', 'b'), maxLength: 10 })
  fc.assert(
    fc.property(word, text, (pattern, subject) => {
      const slow = new RegExp(`^${pattern.replaceAll('*', '.*')}$`)
      equal(wildcardMatch(pattern, subject), slow.test(subject))
    }),
  )
})
